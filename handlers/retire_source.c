/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/common.h"
#include "handlers/view.h"
#include "handlers/view_chain.h"

static enum op_next show(struct op *op)
{
    struct json_out *o = json_out_new(op->arena);

    if (!found(op, E_SOURCE_NOT_FOUND))
        return OP_REPLY;
    view_source(o, NULL, op->rows);
    return reply_tagged(op, o);
}

static enum op_next answer(struct op *op)
{
    const struct in_retire_source *in = op->in;
    const struct sql_source_retire_row *row = op->rows;
    struct sql_source_get *call = arena_alloc(op->arena, sizeof(*call));

    if (!written(op, op->n_rows ? row->outcome : text_of(NULL), op->n_rows && row->replayed))
        return OP_REPLY;
    call->id = in->source;
    return op_call(op, SQL_SOURCE_GET, call, key_of(in->source), 0, show);
}

static enum op_next parse(struct op *op)
{
    const struct in_retire_source *in = op->in;
    struct sql_source_retire *call = arena_alloc(op->arena, sizeof(*call));

    if (!lives_here(op, in->source))
        return OP_REPLY;
    *call = (struct sql_source_retire){
        .id = in->source,
        .account = op->who.account,
        .key = op->who.key,
        .idem_key = op->idempotency_key,
        .fingerprint = bytes_of(op->fingerprint.b, sizeof(op->fingerprint.b)),
    };
    return op_call(op, SQL_SOURCE_RETIRE, call, (uint64_t)op->who.account, key_of(in->source),
                   answer);
}

const struct op_def op_retire_source = {.parse = parse};
