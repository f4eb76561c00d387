/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/common.h"
#include "handlers/view.h"
#include "server/app.h"

static const char *const phase_words[] = {
    [HEARTBEAT_ATTEMPT_PHASE_PULLING] = "pulling", [HEARTBEAT_ATTEMPT_PHASE_RUNNING] = "running"};

static enum op_next answer(struct op *op)
{
    const struct in_heartbeat_attempt *in = op->in;
    const struct sql_attempt_heartbeat_row *row = op->rows;
    struct json_out *o = json_out_new(op->arena);

    if (!written(op, op->n_rows ? row->outcome : text_of(NULL), false))
        return OP_REPLY;
    put_open(o, NULL, '{');
    put_id(o, "attempt", ID_ATTEMPT, in->attempt);
    put_time(o, "lease_until", row->lease_until);
    put_bool(o, "stop", row->stop);
    put_text(o, "reason", row->stop ? row->reason : text_of(NULL));
    put_close(o, '}');
    return reply(op, 200, o);
}

static enum op_next parse(struct op *op)
{
    const struct in_heartbeat_attempt *in = op->in;
    struct sql_attempt_heartbeat *call = arena_alloc(op->arena, sizeof(*call));

    *call = (struct sql_attempt_heartbeat){
        .id = in->attempt,
        .provider = op->who.provider,
        .lease_s = (int32_t)op->app->lease_s,
        .phase = text_of(in->has_phase ? phase_words[in->phase] : NULL),
        .has_pulled_bytes = in->has_pulled_bytes,
        .pulled_bytes = in->pulled_bytes,
        .has_image_bytes = in->has_image_bytes,
        .image_bytes = in->image_bytes,
    };
    return op_call(op, SQL_ATTEMPT_HEARTBEAT, call, key_of(in->attempt), key_of(in->attempt),
                   answer);
}

const struct op_def op_heartbeat_attempt = {.parse = parse};
