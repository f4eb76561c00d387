/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "eth/address.h"
#include "handlers/common.h"
#include "handlers/page.h"
#include "handlers/view.h"
#include "handlers/view_chain.h"

static const char *const status_words[] = {
    [LIST_SOURCES_STATUS_ACTIVE] = "active",
    [LIST_SOURCES_STATUS_RETIRED] = "retired",
};

static const char *query_of(struct op *op)
{
    const struct in_list_sources *in = op->in;
    char owner[ADDRESS_TEXT_MAX];

    address_format(in->owner, owner);
    return arena_printf(op->arena, "%s%s%s%s%s%s%slimit=%d",
                        in->origin == LIST_SOURCES_ORIGIN_CHAIN ? "origin=chain&" : "",
                        in->has_status ? "status=" : "",
                        in->has_status ? status_words[in->status] : "", in->has_status ? "&" : "",
                        in->has_owner ? "owner=" : "", in->has_owner ? owner : "",
                        in->has_owner ? "&" : "", (int)in->limit);
}

static enum op_next answer(struct op *op)
{
    const struct in_list_sources *in = op->in;
    const struct sql_source_get_row *rows = op->rows;
    size_t n = op->n_rows < (size_t)in->limit ? op->n_rows : (size_t)in->limit;
    struct json_out *o;

    if (op->err.code != E_OK)
        return op_fail_err(op);
    o = page_open(op);
    for (size_t i = 0; i < n; i++)
        view_source(o, NULL, &rows[i]);
    return page_end(op, o, op->n_rows > n, n ? &rows[n - 1].id : NULL, sizeof(struct uuid),
                    query_of(op));
}

static enum op_next answer_chain(struct op *op)
{
    const struct in_list_sources *in = op->in;
    const struct sql_mirror_source_get_row *rows = op->rows;
    size_t n = op->n_rows < (size_t)in->limit ? op->n_rows : (size_t)in->limit;
    struct json_out *o;

    if (op->err.code != E_OK)
        return op_fail_err(op);
    o = page_open(op);
    for (size_t i = 0; i < n; i++)
        view_chain_source(o, NULL, &rows[i]);
    return page_end(op, o, op->n_rows > n, n ? &rows[n - 1].seq : NULL, sizeof(rows->seq),
                    query_of(op));
}

/* Those of upstream's chain: the same question to the mirror's copy. */
static enum op_next ask_chain(struct op *op)
{
    const struct in_list_sources *in = op->in;
    struct sql_mirror_source_list *call = arena_alloc(op->arena, sizeof(*call));

    call->has_status = in->has_status;
    call->status = in->status == LIST_SOURCES_STATUS_RETIRED;
    if (in->has_owner)
        call->client = address_bytes(op, in->owner);
    call->max = (int32_t)in->limit + 1;
    if (!page_begin(op, in->has_cursor, in->cursor, &call->before, sizeof(call->before)))
        return OP_REPLY;
    return op_call(op, SQL_MIRROR_SOURCE_LIST, call, 0, 0, answer_chain);
}

static enum op_next parse(struct op *op)
{
    const struct in_list_sources *in = op->in;
    struct sql_source_list *call = arena_alloc(op->arena, sizeof(*call));

    if (in->origin == LIST_SOURCES_ORIGIN_CHAIN)
        return ask_chain(op);
    if (in->has_status)
        call->status = text_of(status_words[in->status]);
    if (in->has_owner)
        call->owner = address_bytes(op, in->owner);
    call->max = (int32_t)in->limit + 1;
    if (!page_begin(op, in->has_cursor, in->cursor, &call->before, sizeof(call->before)))
        return OP_REPLY;
    return op_call(op, SQL_SOURCE_LIST, call, 0, 0, answer);
}

const struct op_def op_list_sources = {.parse = parse};
