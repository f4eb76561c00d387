/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/common.h"
#include "handlers/sign.h"
#include "handlers/view.h"
#include "handlers/view_chain.h"
#include "core/manifest.h"

static enum op_next answer(struct op *op)
{
    struct json_out *o = json_out_new(op->arena);
    const struct sql_registration_put *call = op->state;
    const struct sql_registration_put_row *row = op->rows;
    struct sql_registration_list_row r;

    if (!written(op, op->n_rows ? row->outcome : text_of(NULL), false))
        return OP_REPLY;
    r = (struct sql_registration_list_row){
        .provider = call->provider,
        .address = address_bytes(op, op->who.address),
        .environments = call->environments,
        .manifest_hash = call->manifest_hash,
        .created_at = row->created_at,
    };
    view_registration(o, NULL, call->source, &r);
    return reply(op, 200, o);
}

static void verify(struct op *op)
{
    const struct in_put_registration *in = op->in;
    const struct sql_registration_put *call = op->state;
    struct eip712_domain domain = sign_domain(op->app);
    struct eip712_registration m = {
        .provider = op->who.address,
        .environments = (uint8_t)call->environments,
        .nonce = (uint64_t)in->nonce,
        .deadline = (uint64_t)in->deadline,
    };
    struct sign_check check;

    memcpy(m.manifest.b, call->manifest_hash.p, sizeof(m.manifest.b));
    check = (struct sign_check){eip712_registration_digest(&domain, &m), in->signature,
                                op->who.address, "provider"};
    sign_verify(op, &check, 1);
}

static enum op_next verified(struct op *op)
{
    const struct sql_registration_put *call = op->state;

    if (op->err.code != E_OK)
        return op_fail_err(op);
    return op_call(op, SQL_REGISTRATION_PUT, call, key_of(call->provider), key_of(call->provider),
                   answer);
}

/* The signature names the manifest by its hash, so the source comes first. */
static enum op_next loaded(struct op *op)
{
    const struct sql_source_get_row *source = op->rows;
    struct sql_registration_put *call = op->state;

    if (!found(op, E_SOURCE_NOT_FOUND))
        return OP_REPLY;
    call->manifest_hash = arena_bytes(op->arena, source->manifest_hash);
    return op_pool(op, verify, verified);
}

static enum op_next parse(struct op *op)
{
    const struct in_put_registration *in = op->in;
    struct sql_registration_put *call = arena_alloc(op->arena, sizeof(*call));
    struct sql_source_get *get = arena_alloc(op->arena, sizeof(*get));
    unsigned environments;
    struct err err;

    if (!own_provider(op, in->provider) || !deadline_ok(op, in->deadline) ||
        !lives_here(op, in->source))
        return OP_REPLY;
    if (environments_read(in->environments, &environments, &err) != E_OK)
        return op_fail(op, E_VALIDATION, "/environments: %s", err.text);
    call->source = in->source;
    call->provider = in->provider;
    call->environments = (int32_t)environments;
    call->nonce = in->nonce;
    op->state = call;
    get->id = in->source;
    return op_call(op, SQL_SOURCE_GET, get, key_of(in->source), 0, loaded);
}

const struct op_def op_put_registration = {.parse = parse};
