/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/challenge.h"
#include "handlers/common.h"
#include "handlers/page.h"

static enum op_next answer(struct op *op)
{
    const struct in_list_challenges *in = op->in;
    const struct sql_gpu_challenge_get_row *rows = op->rows;
    size_t n = op->n_rows < (size_t)in->limit ? op->n_rows : (size_t)in->limit;
    struct json_out *o;

    if (op->err.code != E_OK)
        return op_fail_err(op);
    o = page_open(op);
    for (size_t i = 0; i < n; i++)
        view_challenge(o, NULL, &rows[i]);
    return page_end(op, o, op->n_rows > n, n ? &rows[n - 1].id : NULL, sizeof(rows->id),
                    arena_printf(op->arena, "limit=%d", (int)in->limit));
}

static enum op_next parse(struct op *op)
{
    const struct in_list_challenges *in = op->in;
    struct sql_gpu_challenge_list *call = arena_alloc(op->arena, sizeof(*call));

    call->provider = in->provider;
    call->max = (int32_t)in->limit + 1;
    if (!page_begin(op, in->has_cursor, in->cursor, &call->before, sizeof(call->before)))
        return OP_REPLY;
    return op_call(op, SQL_GPU_CHALLENGE_LIST, call, key_of(in->provider), 0, answer);
}

const struct op_def op_list_challenges = {.parse = parse};
