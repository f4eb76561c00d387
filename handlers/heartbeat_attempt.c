/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/common.h"
#include "handlers/view.h"
#include "server/app.h"

static enum op_next answer(struct op *op)
{
    const struct in_heartbeat_attempt *in = op->in;
    const struct sql_attempt_heartbeat_row *row = op->rows;

    if (!written(op, op->n_rows ? row->outcome : text_of(NULL), false))
        return OP_REPLY;
    return op_json(op, 200,
                   json_pack("{s:o, s:o, s:b, s:o}", "attempt", view_id(ID_ATTEMPT, in->attempt),
                             "lease_until", view_time(row->lease_until), "stop", row->stop,
                             "reason", row->stop ? view_text(row->reason) : json_null()));
}

static enum op_next parse(struct op *op)
{
    const struct in_heartbeat_attempt *in = op->in;
    struct sql_attempt_heartbeat *call = arena_alloc(op->arena, sizeof(*call));

    *call = (struct sql_attempt_heartbeat){
        .id = in->attempt, .provider = op->who.provider, .lease_s = (int32_t)op->app->lease_s};
    return op_call(op, SQL_ATTEMPT_HEARTBEAT, call, key_of(in->attempt), key_of(in->attempt),
                   answer);
}

const struct op_def op_heartbeat_attempt = {.parse = parse};
