/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/challenge.h"
#include "handlers/common.h"
#include "lib/hash.h"

struct state {
    struct sql_provider_get get;
    struct sql_gpu_challenge_make make;
};

static enum op_next show(struct op *op)
{
    const struct state *s = op->state;
    struct json_out *o = json_out_new(op->arena);
    char provider[ID_TEXT_MAX];
    char id[ID_TEXT_MAX];

    if (!found(op, E_CHALLENGE_NOT_FOUND))
        return OP_REPLY;
    view_challenge(o, NULL, op->rows);
    id_format(ID_PROVIDER, s->make.provider, provider);
    id_format(ID_CHALLENGE, s->make.id, id);
    return reply_created(
        op, o, arena_printf(op->arena, "/v1/providers/%s/challenges/%s", provider, id), NULL);
}

static enum op_next made(struct op *op)
{
    const struct state *s = op->state;
    const struct sql_gpu_challenge_make_row *row = op->rows;

    if (op->err.code == E_OK && op->n_rows == 1 && text_is(row->outcome, "quota")) {
        (void)op_fail(op, E_QUOTA, "The next challenge for this device can be had in %lld s.",
                      (long long)row->retry_s);
        op_header(op, "Retry-After", arena_printf(op->arena, "%lld", (long long)row->retry_s));
        return OP_REPLY;
    }
    if (!written(op, op->n_rows ? row->outcome : text_of(NULL), false))
        return OP_REPLY;
    return challenge_load(op, s->make.id, s->make.provider, show);
}

/* What the device claims, from the last heartbeat. @return 0: no such device */
static int64_t memory_of(struct text devices, struct text device)
{
    struct err err;
    json_t *list;
    json_t *one;
    size_t i;
    int64_t mb = 0;

    if (json_parse(devices.s, devices.n, &list, &err) != E_OK)
        return 0;
    json_array_foreach(list, i, one)
    {
        if (text_is(device, json_string_value(json_object_get(one, "uuid"))))
            mb = json_integer_value(json_object_get(one, "memory_mb"));
    }
    json_decref(list);
    return mb;
}

static enum op_next loaded(struct op *op)
{
    const struct in_create_challenge *in = op->in;
    const struct sql_provider_get_row *p = op->rows;
    struct state *s = op->state;
    struct gpu_proof_shape shape;
    struct digest seed;
    struct err err;
    int64_t mb;

    if (!found(op, E_PROVIDER_NOT_FOUND))
        return OP_REPLY;
    mb = memory_of(p->devices, in->device);
    if (mb == 0)
        return op_fail(op, E_DEVICE_NOT_FOUND,
                       "The last heartbeat told of no device %.*s with memory.", (int)in->device.n,
                       in->device.s);
    if (gpu_proof_shape_of(mb, &shape, &err) != E_OK)
        return op_fail(op, E_VALIDATION, "%s", err.text);
    random_bytes(&seed, sizeof(seed));
    s->make = (struct sql_gpu_challenge_make){
        .id = app_new_id(op->app),
        .provider = in->provider,
        .device = in->device,
        .memory_mb = mb,
        .rows = shape.rows,
        .inner_dim = (int32_t)shape.inner,
        .cols = (int32_t)shape.cols,
        .seed = digest_bytes(op, seed),
        .window_s = gpu_proof_window_s(&shape),
    };
    return op_call(op, SQL_GPU_CHALLENGE_MAKE, &s->make, key_of(in->provider), key_of(in->provider),
                   made);
}

static enum op_next parse(struct op *op)
{
    const struct in_create_challenge *in = op->in;
    struct state *s = arena_alloc(op->arena, sizeof(*s));

    if (!own_provider(op, in->provider))
        return OP_REPLY;
    s->get.id = in->provider;
    op->state = s;
    return op_call(op, SQL_PROVIDER_GET, &s->get, key_of(in->provider), 0, loaded);
}

const struct op_def op_create_challenge = {.parse = parse};
