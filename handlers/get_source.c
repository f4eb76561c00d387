/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/common.h"
#include "handlers/view.h"

static enum op_next answer(struct op *op)
{
    struct json_out *o = json_out_new(op->arena);

    if (!found(op, E_SOURCE_NOT_FOUND))
        return OP_REPLY;
    view_source(o, NULL, op->rows);
    return reply_tagged(op, o);
}

static enum op_next parse(struct op *op)
{
    const struct in_get_source *in = op->in;
    struct sql_source_get *call = arena_alloc(op->arena, sizeof(*call));

    call->id = in->source;
    return op_call(op, SQL_SOURCE_GET, call, key_of(in->source), 0, answer);
}

const struct op_def op_get_source = {.parse = parse};
