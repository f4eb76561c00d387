/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/challenge.h"
#include "handlers/common.h"
#include "lib/hash.h"

/* Seconds for opening: the rows are there, only the network is between. */
#define OPEN_S 60

static enum op_next show(struct op *op)
{
    struct json_out *o = json_out_new(op->arena);

    if (!found(op, E_CHALLENGE_NOT_FOUND))
        return OP_REPLY;
    view_challenge(o, NULL, op->rows);
    return reply(op, 200, o);
}

static enum op_next answer(struct op *op)
{
    const struct in_commit_challenge *in = op->in;
    const struct sql_gpu_challenge_commit_row *row = op->rows;

    if (!written(op, op->n_rows ? row->outcome : text_of(NULL), false))
        return OP_REPLY;
    return challenge_load(op, in->challenge, in->provider, show);
}

static enum op_next parse(struct op *op)
{
    const struct in_commit_challenge *in = op->in;
    struct sql_gpu_challenge_commit *call = arena_alloc(op->arena, sizeof(*call));
    struct digest draw;

    if (!own_provider(op, in->provider))
        return OP_REPLY;
    random_bytes(&draw, sizeof(draw));
    *call = (struct sql_gpu_challenge_commit){
        .id = in->challenge,
        .provider = in->provider,
        .root = digest_bytes(op, in->root),
        .draw = digest_bytes(op, draw),
        .open_s = OPEN_S,
    };
    return op_call(op, SQL_GPU_CHALLENGE_COMMIT, call, key_of(in->challenge), key_of(in->challenge),
                   answer);
}

const struct op_def op_commit_challenge = {.parse = parse};
