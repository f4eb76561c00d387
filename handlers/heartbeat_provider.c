/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/benchmarks.h"
#include "handlers/common.h"
#include "handlers/view.h"

struct state {
    struct sql_gpu_challenge_due due;
    int64_t seen_us;
};

static enum op_next show(struct op *op)
{
    const struct state *s = op->state;
    const struct sql_gpu_challenge_due_row *rows = op->rows;
    struct json_out *o = json_out_new(op->arena);

    if (op->err.code != E_OK)
        return op_fail_err(op);
    put_open(o, NULL, '{');
    put_id(o, "provider", ID_PROVIDER, s->due.provider);
    put_time(o, "last_seen_at", s->seen_us);
    put_int(o, "next_heartbeat_s", PROVIDER_HEARTBEAT_S);
    put_open(o, "prove", '[');
    for (size_t i = 0; i < op->n_rows; i++)
        put_text(o, NULL, rows[i].device);
    put_close(o, ']');
    put_close(o, '}');
    return reply(op, 200, o);
}

static enum op_next answer(struct op *op)
{
    const struct in_heartbeat_provider *in = op->in;
    const struct sql_provider_heartbeat_row *row = op->rows;
    struct state *s = arena_alloc(op->arena, sizeof(*s));

    if (!written(op, op->n_rows ? row->outcome : text_of(NULL), false))
        return OP_REPLY;
    *s = (struct state){.due = {.provider = in->provider}, .seen_us = row->last_seen_at};
    op->state = s;
    return op_call(op, SQL_GPU_CHALLENGE_DUE, &s->due, key_of(in->provider), 0, show);
}

static enum op_next store(struct op *op)
{
    const struct in_heartbeat_provider *in = op->in;
    struct sql_provider_heartbeat *call = arena_alloc(op->arena, sizeof(*call));

    if (op->err.code != E_OK)
        return op_fail_err(op);
    *call = (struct sql_provider_heartbeat){
        .id = in->provider,
        .devices = json_text(in->devices, op->arena),
        .slots = (int32_t)in->slots,
        .has_slots = in->has_slots,
    };
    return op_call(op, SQL_PROVIDER_HEARTBEAT, call, key_of(in->provider), key_of(in->provider),
                   answer);
}

static void verify(struct op *op)
{
    const struct in_heartbeat_provider *in = op->in;

    benchmarks_check(op, in->devices);
}

static enum op_next parse(struct op *op)
{
    const struct in_heartbeat_provider *in = op->in;

    if (!own_provider(op, in->provider))
        return OP_REPLY;
    return benchmarks_there(in->devices) ? op_pool(op, verify, store) : store(op);
}

const struct op_def op_heartbeat_provider = {.parse = parse};
