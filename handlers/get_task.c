/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "core/origin.h"
#include "handlers/common.h"
#include "handlers/view.h"
#include "handlers/view_chain.h"
#include "queue/bell.h"

static enum op_next look(struct op *op);

static bool is_open(const struct sql_task_get_row *t)
{
    return text_is(t->status, "queued") || text_is(t->status, "running") ||
           text_is(t->status, "verifying");
}

static enum op_next answer(struct op *op)
{
    const struct in_get_task *in = op->in;
    const struct sql_task_get_row *t = op->rows;
    int64_t deadline = op->started_us + in->wait * 1000000;
    uint64_t topic;

    if (!found(op, E_TASK_NOT_FOUND))
        return OP_REPLY;
    if (in->wait > 0 && is_open(t) && !op->woken_by_deadline) {
        topic = bell_task(in->task);
        return op_wait(op, &topic, 1, deadline, look);
    }
    return reply_task(op, t);
}

static enum op_next look(struct op *op)
{
    const struct in_get_task *in = op->in;
    struct sql_task_get *call = op->state;

    if (call == NULL) {
        call = arena_alloc(op->arena, sizeof(*call));
        *call = (struct sql_task_get){.id = in->task, .account = op->who.account};
        op->state = call;
    }
    return op_call(op, SQL_TASK_GET, call, (uint64_t)op->who.account, 0, answer);
}

static enum op_next answer_chain(struct op *op)
{
    struct json_out *o = json_out_new(op->arena);

    if (!found(op, E_TASK_NOT_FOUND))
        return OP_REPLY;
    view_chain_task(o, NULL, op->rows);
    return reply_tagged(op, o);
}

/* A task of upstream's chain is answered as it is: the mirror rings no bell to wait for. */
static enum op_next parse(struct op *op)
{
    const struct in_get_task *in = op->in;
    struct sql_mirror_task_list *call;

    if (!origin_is_chain(in->task))
        return look(op);
    call = arena_alloc(op->arena, sizeof(*call));
    *call = (struct sql_mirror_task_list){.id = in->task, .max = 1};
    return op_call(op, SQL_MIRROR_TASK_LIST, call, key_of(in->task), 0, answer_chain);
}

const struct op_def op_get_task = {.parse = parse};
