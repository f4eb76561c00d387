/* SPDX-License-Identifier: MIT */
#ifndef HANDLERS_CHALLENGE_H
#define HANDLERS_CHALLENGE_H

#include "core/gpu_proof.h"
#include "handlers/json_out.h"
#include "server/op.h"
#include "sql.h"

/** The sizes a challenge was issued with. */
struct gpu_proof_shape challenge_shape(const struct sql_gpu_challenge_get_row *c);

/** Challenge; `name` as in json_out.h. */
void view_challenge(struct json_out *o, const char *name,
                    const struct sql_gpu_challenge_get_row *c);

/**
 * Read a challenge of this provider, then `then`.
 *
 * @then  op->rows is a struct sql_gpu_challenge_get_row, when there is one
 */
enum op_next challenge_load(struct op *op, struct uuid challenge, struct uuid provider,
                            op_step then);

#endif
