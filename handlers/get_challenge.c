/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/challenge.h"
#include "handlers/common.h"

static enum op_next answer(struct op *op)
{
    struct json_out *o = json_out_new(op->arena);

    if (!found(op, E_CHALLENGE_NOT_FOUND))
        return OP_REPLY;
    view_challenge(o, NULL, op->rows);
    return reply_tagged(op, o);
}

static enum op_next parse(struct op *op)
{
    const struct in_get_challenge *in = op->in;

    return challenge_load(op, in->challenge, in->provider, answer);
}

const struct op_def op_get_challenge = {.parse = parse};
