/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "core/task_fsm.h"
#include "handlers/common.h"
#include "handlers/page.h"
#include "handlers/view.h"
#include "handlers/view_chain.h"

static const char *query_of(struct op *op)
{
    const struct in_list_tasks *in = op->in;
    const char *status = "";
    const char *source = "";
    char id[ID_TEXT_MAX];

    if (in->has_status)
        status =
            arena_printf(op->arena, "status=%s&", task_status_name((enum task_status)in->status));
    if (in->has_source) {
        id_format(ID_SOURCE, in->source, id);
        source = arena_printf(op->arena, "source=%s&", id);
    }
    return arena_printf(op->arena, "%s%s%slimit=%d",
                        in->origin == LIST_TASKS_ORIGIN_CHAIN ? "origin=chain&" : "", status,
                        source, (int)in->limit);
}

static enum op_next answer(struct op *op)
{
    const struct in_list_tasks *in = op->in;
    const struct sql_task_get_row *rows = op->rows;
    size_t n = op->n_rows < (size_t)in->limit ? op->n_rows : (size_t)in->limit;
    struct json_out *o;

    if (op->err.code != E_OK)
        return op_fail_err(op);
    o = page_open(op);
    for (size_t i = 0; i < n; i++)
        view_task(o, NULL, &rows[i]);
    return page_end(op, o, op->n_rows > n, n ? &rows[n - 1].id : NULL, sizeof(struct uuid),
                    query_of(op));
}

static enum op_next answer_chain(struct op *op)
{
    const struct in_list_tasks *in = op->in;
    const struct sql_mirror_task_list_row *rows = op->rows;
    size_t n = op->n_rows < (size_t)in->limit ? op->n_rows : (size_t)in->limit;
    struct json_out *o;

    if (op->err.code != E_OK)
        return op_fail_err(op);
    o = page_open(op);
    for (size_t i = 0; i < n; i++)
        view_chain_task(o, NULL, &rows[i]);
    return page_end(op, o, op->n_rows > n, n ? &rows[n - 1].seq : NULL, sizeof(rows->seq),
                    query_of(op));
}

/* Those of upstream's chain are everyone's to see. */
static enum op_next ask_chain(struct op *op)
{
    const struct in_list_tasks *in = op->in;
    struct sql_mirror_task_list *call = arena_alloc(op->arena, sizeof(*call));

    if (in->has_status)
        return op_fail(op, E_VALIDATION, "status: tasks of upstream's chain have other states");
    if (in->has_source)
        call->source = in->source;
    call->max = (int32_t)in->limit + 1;
    if (!page_begin(op, in->has_cursor, in->cursor, &call->before, sizeof(call->before)))
        return OP_REPLY;
    return op_call(op, SQL_MIRROR_TASK_LIST, call, (uint64_t)op->who.account, 0, answer_chain);
}

static enum op_next parse(struct op *op)
{
    const struct in_list_tasks *in = op->in;
    struct sql_task_list *call = arena_alloc(op->arena, sizeof(*call));

    if (in->origin == LIST_TASKS_ORIGIN_CHAIN)
        return ask_chain(op);
    call->account = op->who.account;
    if (in->has_status)
        call->status = text_of(task_status_name((enum task_status)in->status));
    if (in->has_source)
        call->source = in->source;
    call->max = (int32_t)in->limit + 1;
    if (!page_begin(op, in->has_cursor, in->cursor, &call->before, sizeof(call->before)))
        return OP_REPLY;
    return op_call(op, SQL_TASK_LIST, call, (uint64_t)op->who.account, 0, answer);
}

const struct op_def op_list_tasks = {.parse = parse};
