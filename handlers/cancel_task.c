/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/common.h"
#include "handlers/view.h"
#include "handlers/view_chain.h"
#include "queue/post.h"
#include "server/app.h"

static enum op_next show(struct op *op)
{
    const struct sql_task_get_row *t = op->rows;

    if (!found(op, E_TASK_NOT_FOUND))
        return OP_REPLY;
    post_closed(op->app->queue, t->source, t->id);
    return reply_task(op, t);
}

static enum op_next answer(struct op *op)
{
    const struct in_cancel_task *in = op->in;
    const struct sql_task_cancel_row *row = op->rows;
    struct sql_task_get *call = arena_alloc(op->arena, sizeof(*call));

    if (!written(op, op->n_rows ? row->outcome : text_of(NULL), op->n_rows && row->replayed))
        return OP_REPLY;
    *call = (struct sql_task_get){.id = in->task, .account = op->who.account};
    return op_call(op, SQL_TASK_GET, call, (uint64_t)op->who.account, 0, show);
}

static enum op_next parse(struct op *op)
{
    const struct in_cancel_task *in = op->in;
    struct sql_task_cancel *call = arena_alloc(op->arena, sizeof(*call));

    if (!lives_here(op, in->task))
        return OP_REPLY;
    *call = (struct sql_task_cancel){
        .id = in->task,
        .account = op->who.account,
        .key = op->who.key,
        .idem_key = op->idempotency_key,
        .fingerprint = bytes_of(op->fingerprint.b, sizeof(op->fingerprint.b)),
    };
    return op_call(op, SQL_TASK_CANCEL, call, key_of(in->task), key_of(in->task), answer);
}

const struct op_def op_cancel_task = {.parse = parse};
