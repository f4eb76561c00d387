/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/common.h"
#include "handlers/page.h"
#include "handlers/view.h"

static enum op_next answer(struct op *op)
{
    const struct in_list_registrations *in = op->in;
    const struct sql_registration_list_row *rows = op->rows;
    size_t n = op->n_rows < (size_t)in->limit ? op->n_rows : (size_t)in->limit;
    struct json_out *o;

    if (op->err.code != E_OK)
        return op_fail_err(op);
    o = page_open(op);
    for (size_t i = 0; i < n; i++)
        view_registration(o, NULL, in->source, &rows[i]);
    return page_end(op, o, op->n_rows > n, n ? &rows[n - 1].provider : NULL, sizeof(struct uuid),
                    arena_printf(op->arena, "limit=%d", (int)in->limit));
}

static enum op_next loaded(struct op *op)
{
    if (!found(op, E_SOURCE_NOT_FOUND))
        return OP_REPLY;
    return op_call(op, SQL_REGISTRATION_LIST, op->state, 0, 0, answer);
}

static enum op_next parse(struct op *op)
{
    const struct in_list_registrations *in = op->in;
    struct sql_registration_list *call = arena_alloc(op->arena, sizeof(*call));
    struct sql_source_get *get = arena_alloc(op->arena, sizeof(*get));

    call->source = in->source;
    call->max = (int32_t)in->limit + 1;
    if (!page_begin(op, in->has_cursor, in->cursor, &call->before, sizeof(call->before)))
        return OP_REPLY;
    op->state = call;
    get->id = in->source;
    return op_call(op, SQL_SOURCE_GET, get, key_of(in->source), 0, loaded);
}

const struct op_def op_list_registrations = {.parse = parse};
