/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/common.h"
#include "handlers/view.h"

static enum op_next answer(struct op *op)
{
    const struct sql_task_get_row *t = op->rows;

    if (!found(op, E_TASK_NOT_FOUND))
        return OP_REPLY;
    if (!uuid_is_zero(t->response)) {
        struct json_out *o = json_out_new(op->arena);

        view_task_result(o, NULL, t);
        return reply_tagged(op, o);
    }
    if (t->finished_at != 0)
        return op_fail(op, E_TASK_CLOSED, "The task is %.*s and has no result.", (int)t->status.n,
                       t->status.s);
    return op_fail(op, E_TASK_NOT_DONE, "The task is %.*s.", (int)t->status.n, t->status.s);
}

static enum op_next parse(struct op *op)
{
    const struct in_get_task_result *in = op->in;
    struct sql_task_get *call = arena_alloc(op->arena, sizeof(*call));

    *call = (struct sql_task_get){.id = in->task, .account = op->who.account};
    return op_call(op, SQL_TASK_GET, call, (uint64_t)op->who.account, 0, answer);
}

const struct op_def op_get_task_result = {.parse = parse};
