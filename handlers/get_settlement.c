/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/common.h"
#include "handlers/view_settlement.h"

static enum op_next answer(struct op *op)
{
    struct json_out *o = json_out_new(op->arena);

    if (!found(op, E_BATCH_NOT_FOUND))
        return OP_REPLY;
    view_settlement_read(o, NULL, op->app, op->rows);
    return reply_tagged(op, o);
}

static enum op_next parse(struct op *op)
{
    const struct in_get_settlement *in = op->in;
    struct sql_settlement_get *call = arena_alloc(op->arena, sizeof(*call));

    call->id = in->batch;
    return op_call(op, SQL_SETTLEMENT_GET, call, key_of(in->batch), 0, answer);
}

const struct op_def op_get_settlement = {.parse = parse};
