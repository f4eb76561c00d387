/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/challenge.h"
#include "handlers/common.h"
#include "lib/hash.h"
#include "lib/hex.h"

struct state {
    struct gpu_proof_shape shape;
    struct digest root;
    struct digest draw;
    struct sql_gpu_challenge_open call;
    uint8_t *flat; /* rows and paths, as they are stored */
    size_t flat_n;
};

static enum op_next show(struct op *op)
{
    struct json_out *o = json_out_new(op->arena);

    if (!found(op, E_CHALLENGE_NOT_FOUND))
        return OP_REPLY;
    view_challenge(o, NULL, op->rows);
    return reply(op, 202, o);
}

static enum op_next answer(struct op *op)
{
    const struct in_open_challenge *in = op->in;
    const struct state *s = op->state;
    const struct sql_gpu_challenge_open_row *row = op->rows;

    if (op->n_rows && text_is(row->outcome, "proof_rejected"))
        return op_fail(op, E_PROOF_REJECTED, "%.*s", (int)s->call.reason.n, s->call.reason.s);
    if (!written(op, op->n_rows ? row->outcome : text_of(NULL), false))
        return OP_REPLY;
    return challenge_load(op, in->challenge, in->provider, show);
}

/* One row's hex behind what is there. */
static bool append(struct state *s, const json_t *row, size_t path_n)
{
    const json_t *values = json_object_get(row, "values");
    const json_t *path = json_object_get(row, "path");
    const size_t width = (size_t)s->shape.cols * 4;

    if (json_array_size(path) != path_n ||
        !hex_decode(json_string_value(values), json_string_length(values), s->flat + s->flat_n,
                    width))
        return false;
    s->flat_n += width;
    for (size_t i = 0; i < path_n; i++, s->flat_n += 32) {
        const json_t *d = json_array_get(path, i);

        if (!hex_decode(json_string_value(d), json_string_length(d), s->flat + s->flat_n, 32))
            return false;
    }
    return true;
}

static bool flatten(struct op *op)
{
    const struct in_open_challenge *in = op->in;
    struct state *s = op->state;
    uint32_t at[GPU_PROOF_OPENED];

    if (json_array_size(in->rows) != GPU_PROOF_OPENED)
        return false;
    gpu_proof_draw(&s->draw, s->shape.rows, at);
    s->flat = arena_alloc(op->arena, gpu_proof_opened_max(&s->shape));
    for (size_t i = 0; i < GPU_PROOF_OPENED; i++)
        if (!append(s, json_array_get(in->rows, i), row_tree_path_length(s->shape.rows, at[i])))
            return false;
    return true;
}

/* On the pool: some thousand hashes. The product is checked later, one proof at a time. */
static void judge(struct op *op)
{
    struct state *s = op->state;
    struct gpu_proof_row rows[GPU_PROOF_OPENED];
    enum err_code rc;

    if (!flatten(op)) {
        err_set(&op->err, E_VALIDATION,
                "rows: one for each of open_rows, with all its columns and its whole path");
        return;
    }
    s->call.opened = bytes_of(s->flat, s->flat_n);
    s->call.opened_hash = digest_bytes(op, sha256(s->flat, s->flat_n));
    rc = gpu_proof_read(&s->shape, &s->draw, s->call.opened, rows, &op->err);
    if (rc == E_OK)
        rc = gpu_proof_check_paths(&s->shape, &s->root, &s->draw, rows, &op->err);
    if (rc == E_PROOF_REJECTED) {
        s->call.reason = text_of(arena_printf(op->arena, "%s", op->err.text));
        op->err.code = E_OK;
    }
}

static enum op_next judged(struct op *op)
{
    struct state *s = op->state;

    if (op->err.code != E_OK)
        return op_fail_err(op);
    return op_call(op, SQL_GPU_CHALLENGE_OPEN, &s->call, key_of(s->call.id), key_of(s->call.id),
                   answer);
}

/* The cheap things first: a challenge that takes no rows costs no hash. */
static enum op_next loaded(struct op *op)
{
    const struct sql_gpu_challenge_get_row *c = op->rows;
    struct state *s = op->state;

    if (!found(op, E_CHALLENGE_NOT_FOUND))
        return OP_REPLY;
    if (c->root.n != sizeof(s->root.b) || c->draw.n != sizeof(s->draw.b))
        return op_fail(op, E_CHALLENGE_CLOSED, "There is no commitment to open yet.");
    if (!text_is(c->state, "committed") && c->opened_hash.p == NULL)
        return op_fail(op, E_CHALLENGE_CLOSED, "The challenge is %.*s.", (int)c->state.n,
                       c->state.s);
    memcpy(s->root.b, c->root.p, sizeof(s->root.b));
    memcpy(s->draw.b, c->draw.p, sizeof(s->draw.b));
    s->shape = challenge_shape(c);
    return op_pool(op, judge, judged);
}

static enum op_next parse(struct op *op)
{
    const struct in_open_challenge *in = op->in;
    struct state *s = arena_alloc(op->arena, sizeof(*s));

    if (!own_provider(op, in->provider))
        return OP_REPLY;
    s->call.id = in->challenge;
    s->call.provider = in->provider;
    op->state = s;
    return challenge_load(op, in->challenge, in->provider, loaded);
}

const struct op_def op_open_challenge = {.parse = parse};
