/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "core/origin.h"
#include "handlers/common.h"
#include "handlers/view.h"
#include "handlers/view_chain.h"

static enum op_next answer(struct op *op)
{
    struct json_out *o = json_out_new(op->arena);

    if (!found(op, E_SOURCE_NOT_FOUND))
        return OP_REPLY;
    view_source(o, NULL, op->rows);
    return reply_tagged(op, o);
}

static enum op_next answer_chain(struct op *op)
{
    struct json_out *o = json_out_new(op->arena);

    if (!found(op, E_SOURCE_NOT_FOUND))
        return OP_REPLY;
    view_chain_source(o, NULL, op->rows);
    return reply_tagged(op, o);
}

static enum op_next parse(struct op *op)
{
    const struct in_get_source *in = op->in;
    struct sql_source_get *call = arena_alloc(op->arena, sizeof(*call));
    struct sql_mirror_source_get *mirrored = arena_alloc(op->arena, sizeof(*mirrored));

    if (origin_is_chain(in->source)) {
        mirrored->id = in->source;
        return op_call(op, SQL_MIRROR_SOURCE_GET, mirrored, key_of(in->source), 0, answer_chain);
    }
    call->id = in->source;
    return op_call(op, SQL_SOURCE_GET, call, key_of(in->source), 0, answer);
}

const struct op_def op_get_source = {.parse = parse};
