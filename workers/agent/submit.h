/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_AGENT_SUBMIT_H
#define WORKERS_AGENT_SUBMIT_H

#include "workers/agent/claim.h"
#include "workers/agent/slot.h"
#include "workers/contain/box.h"

/** Upload the outputs under the attempt, sign the response, send it; tries until the lease ends,
 * logs what becomes of it. */
void submit_response(struct slot *s, const struct claim *c, const struct box_result *r,
                     struct arena *a);

/**
 * Tell that an attempt failed; tries until the lease ends.
 *
 * @code      a word: ^[a-z][a-z0-9_]*$
 * @message   any text; what is not printable ASCII is replaced
 * @released  the source was not tried: no penalty
 */
void submit_failure(struct slot *s, const char *attempt, const char *code, const char *message,
                    bool released);

#endif
