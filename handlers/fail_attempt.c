/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/common.h"
#include "handlers/view.h"
#include "queue/post.h"
#include "server/app.h"

/*
 * How long a task that was handed back stays away from that operator: its workers would claim it
 * again at once, being the oldest, and do nothing else for as long as an image cannot be had. What
 * says nothing of the task comes back at once.
 */
#define HOLD_S 600

static int hold_s(const struct in_fail_attempt *in)
{
    static const char *const passing[] = {"draining", "no_device"};

    if (!in->released)
        return 0;
    for (size_t i = 0; i < ARRAY_LEN(passing); i++) {
        if (text_is(in->code, passing[i]))
            return 0;
    }
    return HOLD_S;
}

static enum op_next answer(struct op *op)
{
    const struct in_fail_attempt *in = op->in;
    const struct sql_attempt_end_row *row = op->rows;
    struct json_out *o = json_out_new(op->arena);

    if (!written(op, op->n_rows ? row->outcome : text_of(NULL), false))
        return OP_REPLY;
    if (in->released)
        post_held(op->app->queue, row->source, row->task, op->who.account, hold_s(in));
    if (row->reopened)
        post_reopen(op->app->queue, row->source, row->task);
    else
        post_moved(op->app->queue, row->task);
    put_open(o, NULL, '{');
    put_id(o, "attempt", ID_ATTEMPT, in->attempt);
    put_id(o, "task", ID_TASK, row->task);
    put_string(o, "status", in->released ? "released" : "failed");
    put_close(o, '}');
    return reply(op, 200, o);
}

static enum op_next loaded(struct op *op)
{
    const struct in_fail_attempt *in = op->in;
    const struct sql_attempt_get_row *row = op->rows;
    struct sql_attempt_end *call = arena_alloc(op->arena, sizeof(*call));

    if (!found(op, E_ATTEMPT_NOT_FOUND))
        return OP_REPLY;
    *call = (struct sql_attempt_end){
        .id = in->attempt,
        .provider = op->who.provider,
        .how = text_of(in->released ? "released" : "failed"),
        .code = in->code,
        .message = in->message,
        .attempts_max = (int32_t)op->app->attempts_max,
        .hold_s = hold_s(in),
    };
    return op_call(op, SQL_ATTEMPT_END, call, key_of(row->task), key_of(row->task), answer);
}

/* By its task first: two attempts of one task must not end in one batch. */
static enum op_next parse(struct op *op)
{
    const struct in_fail_attempt *in = op->in;
    struct sql_attempt_get *call = arena_alloc(op->arena, sizeof(*call));

    *call = (struct sql_attempt_get){.attempt = in->attempt, .provider = op->who.provider};
    return op_call(op, SQL_ATTEMPT_GET, call, key_of(in->attempt), 0, loaded);
}

const struct op_def op_fail_attempt = {.parse = parse};
