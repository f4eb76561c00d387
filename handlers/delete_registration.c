/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/common.h"

static enum op_next judged(struct op *op)
{
    if (!found(op, E_SOURCE_NOT_FOUND))
        return OP_REPLY;
    return op_empty(op, 204);
}

static enum op_next answer(struct op *op)
{
    const struct in_delete_registration *in = op->in;
    const struct sql_registration_delete_row *row = op->rows;
    struct sql_source_get *get;

    /* Not registered: deleted before, or no such source? */
    if (op->err.code == E_OK && op->n_rows && text_is(row->outcome, "not_registered")) {
        get = arena_alloc(op->arena, sizeof(*get));
        get->id = in->source;
        return op_call(op, SQL_SOURCE_GET, get, key_of(in->source), 0, judged);
    }
    if (!written(op, op->n_rows ? row->outcome : text_of(NULL), false))
        return OP_REPLY;
    return op_empty(op, 204);
}

static enum op_next parse(struct op *op)
{
    const struct in_delete_registration *in = op->in;
    struct sql_registration_delete *call = arena_alloc(op->arena, sizeof(*call));

    if (!own_provider(op, in->provider))
        return OP_REPLY;
    *call = (struct sql_registration_delete){.source = in->source, .provider = in->provider};
    return op_call(op, SQL_REGISTRATION_DELETE, call, key_of(in->provider), key_of(in->provider),
                   answer);
}

const struct op_def op_delete_registration = {.parse = parse};
