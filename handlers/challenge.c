/* SPDX-License-Identifier: MIT */
#include "handlers/challenge.h"

#include "handlers/common.h"

struct gpu_proof_shape challenge_shape(const struct sql_gpu_challenge_get_row *c)
{
    return (struct gpu_proof_shape){
        .rows = (uint32_t)c->rows,
        .inner = (uint32_t)c->inner_dim,
        .cols = (uint32_t)c->cols,
    };
}

static void put_time_or_null(struct json_out *o, const char *name, int64_t us)
{
    if (us)
        put_time(o, name, us);
    else
        put_null(o, name);
}

static void put_draw(struct json_out *o, const struct sql_gpu_challenge_get_row *c)
{
    uint32_t at[GPU_PROOF_OPENED];
    struct digest draw;

    if (c->draw.n != sizeof(draw.b)) {
        put_null(o, "open_rows");
        return;
    }
    memcpy(draw.b, c->draw.p, sizeof(draw.b));
    gpu_proof_draw(&draw, (uint32_t)c->rows, at);
    put_open(o, "open_rows", '[');
    for (size_t i = 0; i < GPU_PROOF_OPENED; i++)
        put_int(o, NULL, at[i]);
    put_close(o, ']');
}

/* What the proof has shown: operations by the time from challenge to commitment. */
static void put_rate(struct json_out *o, const struct sql_gpu_challenge_get_row *c)
{
    const struct gpu_proof_shape shape = challenge_shape(c);
    const int64_t us = c->committed_at - c->issued_at;

    if (text_is(c->state, "passed"))
        put_int(o, "gops_per_s",
                (int64_t)(gpu_proof_ops(&shape) / 1000 / (uint64_t)(us > 0 ? us : 1)));
    else
        put_null(o, "gops_per_s");
}

static void put_urls(struct json_out *o, const struct sql_gpu_challenge_get_row *c)
{
    char provider[ID_TEXT_MAX];
    const char *before;

    id_format(ID_PROVIDER, c->provider, provider);
    before = arena_printf(json_out_arena(o), "/v1/providers/%s/challenges/", provider);
    put_open(o, "urls", '{');
    put_path(o, "self", before, ID_CHALLENGE, c->id, "");
    put_path(o, "commit", before, ID_CHALLENGE, c->id, "/commit");
    put_path(o, "open", before, ID_CHALLENGE, c->id, "/open");
    put_close(o, '}');
}

void view_challenge(struct json_out *o, const char *name, const struct sql_gpu_challenge_get_row *c)
{
    put_open(o, name, '{');
    put_id(o, "id", ID_CHALLENGE, c->id);
    put_id(o, "provider", ID_PROVIDER, c->provider);
    put_text(o, "device", c->device);
    put_text(o, "status", c->state);
    put_int(o, "memory_mb", c->memory_mb);
    put_int(o, "rows", c->rows);
    put_int(o, "inner", c->inner_dim);
    put_int(o, "cols", c->cols);
    put_hex(o, "seed", "", c->seed);
    put_time(o, "issued_at", c->issued_at);
    put_time(o, "commit_until", c->commit_until);
    put_time_or_null(o, "committed_at", c->committed_at);
    if (c->root.n)
        put_hex(o, "root", "", c->root);
    else
        put_null(o, "root");
    put_draw(o, c);
    put_time_or_null(o, "open_until", c->open_until);
    put_time_or_null(o, "decided_at", c->decided_at);
    if (c->reason.s)
        put_text(o, "reason", c->reason);
    else
        put_null(o, "reason");
    put_rate(o, c);
    put_urls(o, c);
    put_close(o, '}');
}

enum op_next challenge_load(struct op *op, struct uuid challenge, struct uuid provider,
                            op_step then)
{
    struct sql_gpu_challenge_get *get = arena_alloc(op->arena, sizeof(*get));

    *get = (struct sql_gpu_challenge_get){.id = challenge, .provider = provider};
    return op_call(op, SQL_GPU_CHALLENGE_GET, get, key_of(challenge), 0, then);
}
