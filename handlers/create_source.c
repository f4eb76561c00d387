/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "core/manifest.h"
#include "handlers/common.h"
#include "handlers/view.h"

static enum op_next answer(struct op *op)
{
    const struct sql_source_create *call = op->state;
    const struct sql_source_create_row *row = op->rows;
    struct sql_source_get_row source;
    char id[ID_TEXT_MAX];
    struct json_out *o;

    if (!written(op, op->n_rows ? row->outcome : text_of(NULL), op->n_rows && row->replayed))
        return OP_REPLY;
    source = (struct sql_source_get_row){
        .id = row->id,
        .owner = address_bytes(op, op->who.address),
        .status = text_of("active"),
        .name = call->name,
        .manifest = call->manifest,
        .manifest_hash = call->manifest_hash,
        .environments = call->environments,
        .created_at = row->created_at,
        .updated_at = row->created_at,
    };
    id_format(ID_SOURCE, row->id, id);
    o = json_out_new(op->arena);
    view_source(o, NULL, &source);
    return reply_created(op, o, arena_printf(op->arena, "/v1/sources/%s", id), "");
}

static enum op_next parse(struct op *op)
{
    const struct in_create_source *in = op->in;
    struct sql_source_create *call = arena_alloc(op->arena, sizeof(*call));
    struct manifest manifest;
    struct digest hash;
    struct violations bad = {.n = 0};
    struct err err;

    if (manifest_read(in->manifest, &manifest, &err) != E_OK) {
        manifest_problems(in->manifest, "/manifest", &err, op->arena, &bad);
        return op_fail_list(op, E_BAD_MANIFEST, &bad);
    }
    if (manifest_canonical(in->manifest, op->arena, &call->manifest, &hash, &err) != E_OK)
        return op_fail(op, E_BAD_MANIFEST, "%s", err.text);
    call->id = app_new_id(op->app);
    call->account = op->who.account;
    call->key = op->who.key;
    call->name = manifest.name;
    call->manifest_hash = digest_bytes(op, hash);
    call->environments = (int32_t)manifest.environments;
    call->min_reward = manifest.min_reward;
    call->max_expiry_s = (int32_t)manifest.max_expiry_s;
    if (manifest.has_blob)
        call->blob = digest_bytes(op, manifest.blob);
    call->idem_key = op->idempotency_key;
    call->fingerprint = bytes_of(op->fingerprint.b, sizeof(op->fingerprint.b));
    op->state = call;
    return op_call(op, SQL_SOURCE_CREATE, call, (uint64_t)call->account, key_of_idempotency(op),
                   answer);
}

const struct op_def op_create_source = {.parse = parse};
