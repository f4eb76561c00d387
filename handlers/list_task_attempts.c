/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/common.h"
#include "handlers/page.h"
#include "handlers/view.h"

static enum op_next answer(struct op *op)
{
    const struct in_list_task_attempts *in = op->in;
    const struct sql_task_attempts_row *rows = op->rows;
    struct json_out *o;

    if (!found(op, E_TASK_NOT_FOUND))
        return OP_REPLY;
    o = page_open(op);
    /* A task without attempts is one row of nothing. */
    for (size_t i = 0; i < op->n_rows && rows[i].has_epoch; i++)
        view_attempt(o, NULL, in->task, &rows[i]);
    return page_end(op, o, false, NULL, 0, "");
}

static enum op_next parse(struct op *op)
{
    const struct in_list_task_attempts *in = op->in;
    struct sql_task_attempts *call = arena_alloc(op->arena, sizeof(*call));

    *call = (struct sql_task_attempts){.id = in->task, .account = op->who.account};
    return op_call(op, SQL_TASK_ATTEMPTS, call, (uint64_t)op->who.account, 0, answer);
}

const struct op_def op_list_task_attempts = {.parse = parse};
