/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "core/manifest.h"
#include "eth/address.h"
#include "handlers/common.h"
#include "handlers/sign.h"
#include "handlers/view.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/keytext.h"

struct state {
    struct sql_provider_register call;
    char token[KEYTEXT_MAX]; /* shown once; only its hash is stored */
};

static enum op_next show(struct op *op)
{
    struct state *s = op->state;
    const struct sql_provider_get_row *p = op->rows;
    char id[ID_TEXT_MAX];
    struct json_out *o = json_out_new(op->arena);

    if (!found(op, E_PROVIDER_NOT_FOUND))
        return OP_REPLY;
    id_format(ID_PROVIDER, p->id, id);
    put_open(o, NULL, '{');
    view_provider_read(o, "provider", p, clock_wall_us());
    put_string(o, "token", s->token);
    put_close(o, '}');
    wipe(s->token, sizeof(s->token));
    return reply_created(op, o, arena_printf(op->arena, "/v1/providers/%s", id), NULL);
}

static enum op_next answer(struct op *op)
{
    const struct sql_provider_register_row *row = op->rows;
    struct sql_provider_get *get = arena_alloc(op->arena, sizeof(*get));

    if (!written(op, op->n_rows ? row->outcome : text_of(NULL), false))
        return OP_REPLY;
    get->id = row->id;
    return op_call(op, SQL_PROVIDER_GET, get, key_of(row->id), 0, show);
}

static void verify(struct op *op)
{
    const struct in_register_provider *in = op->in;
    struct eip712_domain domain = sign_domain(op->app);
    struct eip712_binding m = {in->address, in->master, (uint64_t)in->nonce,
                               (uint64_t)in->deadline};
    struct digest digest = eip712_binding_digest(&domain, &m);
    struct sign_check checks[2] = {
        {digest, in->signature, in->address, "provider"},
        {digest, in->master_signature, in->master, "master"},
    };

    sign_verify(op, checks, in->has_master_signature ? 2 : 1);
}

static enum op_next verified(struct op *op)
{
    const struct in_register_provider *in = op->in;
    struct state *s = op->state;
    uint64_t key = hash64(in->address.b, sizeof(in->address.b));

    if (op->err.code != E_OK)
        return op_fail_err(op);
    return op_call(op, SQL_PROVIDER_REGISTER, &s->call, key, key, answer);
}

static enum op_next parse(struct op *op)
{
    const struct in_register_provider *in = op->in;
    struct state *s = arena_alloc(op->arena, sizeof(*s));
    unsigned environments;
    struct err err;

    if (!deadline_ok(op, in->deadline))
        return OP_REPLY;
    if (environments_read(in->environments, &environments, &err) != E_OK)
        return op_fail(op, E_VALIDATION, "/environments: %s", err.text);
    keytext_make(KEYTEXT_PROVIDER, s->token);
    s->call = (struct sql_provider_register){
        .id = app_new_id(op->app),
        .address = address_bytes(op, in->address),
        .master = address_bytes(op, in->master),
        /* A key that is its own master has signed for both. */
        .master_signed = in->has_master_signature || address_eq(in->address, in->master),
        .environments = (int32_t)environments,
        .nonce = in->nonce,
        .token_hash = digest_bytes(op, sha256(s->token, strlen(s->token))),
    };
    op->state = s;
    return op_pool(op, verify, verified);
}

const struct op_def op_register_provider = {.parse = parse};
