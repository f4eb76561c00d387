/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/common.h"
#include "handlers/view.h"

static enum op_next answer(struct op *op)
{
    const struct in_heartbeat_provider *in = op->in;
    const struct sql_provider_heartbeat_row *row = op->rows;
    struct json_out *o = json_out_new(op->arena);

    if (!written(op, op->n_rows ? row->outcome : text_of(NULL), false))
        return OP_REPLY;
    put_open(o, NULL, '{');
    put_id(o, "provider", ID_PROVIDER, in->provider);
    put_time(o, "last_seen_at", row->last_seen_at);
    put_int(o, "next_heartbeat_s", PROVIDER_HEARTBEAT_S);
    put_close(o, '}');
    return reply(op, 200, o);
}

static enum op_next parse(struct op *op)
{
    const struct in_heartbeat_provider *in = op->in;
    struct sql_provider_heartbeat *call = arena_alloc(op->arena, sizeof(*call));

    if (!own_provider(op, in->provider))
        return OP_REPLY;
    *call = (struct sql_provider_heartbeat){
        .id = in->provider,
        .devices = json_text(in->devices, op->arena),
        .slots = (int32_t)in->slots,
        .has_slots = in->has_slots,
    };
    return op_call(op, SQL_PROVIDER_HEARTBEAT, call, key_of(in->provider), key_of(in->provider),
                   answer);
}

const struct op_def op_heartbeat_provider = {.parse = parse};
