/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/common.h"
#include "handlers/view.h"
#include "lib/clock.h"

static enum op_next answer(struct op *op)
{
    struct json_out *o = json_out_new(op->arena);

    if (!found(op, E_PROVIDER_NOT_FOUND))
        return OP_REPLY;
    view_provider_read(o, NULL, op->rows, clock_wall_us());
    return reply_tagged(op, o);
}

static enum op_next parse(struct op *op)
{
    const struct in_get_provider *in = op->in;
    struct sql_provider_get *call = arena_alloc(op->arena, sizeof(*call));

    call->id = in->provider;
    return op_call(op, SQL_PROVIDER_GET, call, key_of(in->provider), 0, answer);
}

const struct op_def op_get_provider = {.parse = parse};
