/* SPDX-License-Identifier: MIT */
#ifndef HANDLERS_VIEW_PROOF_H
#define HANDLERS_VIEW_PROOF_H

#include "eth/event.h"
#include "eth/score.h"
#include "handlers/json_out.h"
#include "server/app.h"
#include "sql.h"

/** What a score proof adds to its row. */
struct score_parts {
    struct uuid provider;
    struct score_leaf leaf;
    struct merkle_proof proof;
};

/** ScoreProof */
void view_score_proof(struct json_out *o, const struct app *app,
                      const struct sql_score_proof_row *row, const struct score_parts *parts);

/** ReputationEvent */
void view_event(struct json_out *o, const struct event *event);

/** What a task's proof adds to its row. */
struct task_parts {
    struct uuid task;
    struct event event;
    size_t index; /**< of its leaf in the log */
    size_t size;
    struct merkle_proof proof;
};

/** TaskProof */
void view_task_proof(struct json_out *o, const struct app *app,
                     const struct sql_task_proof_row *row, const struct task_parts *parts);

#endif
