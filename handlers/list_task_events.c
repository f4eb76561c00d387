/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/common.h"
#include "handlers/page.h"
#include "handlers/view.h"

static enum op_next answer(struct op *op)
{
    const struct in_list_task_events *in = op->in;
    const struct sql_task_events_row *rows = op->rows;
    size_t n = op->n_rows < (size_t)in->limit ? op->n_rows : (size_t)in->limit;
    struct json_out *o;

    if (!found(op, E_TASK_NOT_FOUND))
        return OP_REPLY;
    o = page_open(op);
    /* Nothing behind the cursor is one row of nothing. */
    for (size_t i = 0; i < n && rows[i].has_seq; i++)
        view_task_event(o, NULL, &rows[i]);
    return page_end(op, o, op->n_rows > n, &rows[n - 1].seq, sizeof(rows->seq),
                    arena_printf(op->arena, "limit=%d", (int)in->limit));
}

static enum op_next parse(struct op *op)
{
    const struct in_list_task_events *in = op->in;
    struct sql_task_events *call = arena_alloc(op->arena, sizeof(*call));

    call->id = in->task;
    call->account = op->who.account;
    call->max = (int32_t)in->limit + 1;
    if (!page_begin(op, in->has_cursor, in->cursor, &call->after, sizeof(call->after)))
        return OP_REPLY;
    return op_call(op, SQL_TASK_EVENTS, call, (uint64_t)op->who.account, 0, answer);
}

const struct op_def op_list_task_events = {.parse = parse};
