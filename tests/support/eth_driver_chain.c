/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "eth/abi.h"
#include "eth/entries.h"
#include "eth/merkle.h"
#include "eth/sign.h"
#include "eth/tx.h"
#include "tests/support/eth_driver.h"

/* Arguments: {"word": 0x…32 bytes} or {"data": 0x…}. */
static size_t args_of(struct ask *ask, struct abi_value out[ABI_VALUES_MAX])
{
    const json_t *list = json_object_get(ask->in, "args");
    size_t n = json_array_size(list);

    if (n > ABI_VALUES_MAX)
        malformed("args");
    for (size_t i = 0; i < n; i++) {
        const json_t *word = json_object_get(json_array_get(list, i), "word");
        const json_t *data = json_object_get(json_array_get(list, i), "data");

        memset(&out[i], 0, sizeof(out[i]));
        if (data) {
            out[i].data = bytes_of_json(ask->arena, data);
        } else {
            struct bytes b = bytes_of_json(ask->arena, word);

            if (b.n != 32)
                malformed("word");
            memcpy(out[i].word, b.p, 32);
        }
    }
    return n;
}

static json_t *values_json(const struct abi_value *v, size_t n)
{
    json_t *list = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, v[i].data.p ? shape_json(v[i].data.p, v[i].data.n)
                                                : shape_json(v[i].word, 32));
    return list;
}

json_t *op_abi_call(struct ask *ask)
{
    struct abi_value args[ABI_VALUES_MAX];
    struct buf out = {.cap = 0};
    json_t *v;

    if (abi_call(ask_text(ask, "signature"), args, args_of(ask, args), &out, &ask->err) != E_OK) {
        buf_done(&out);
        return NULL;
    }
    v = shape_json(out.p, out.n);
    buf_done(&out);
    return v;
}

json_t *op_abi_decode(struct ask *ask)
{
    struct abi_value out[ABI_VALUES_MAX];
    size_t n = (size_t)ask_u64(ask, "n");

    if (abi_decode(ask_text(ask, "types"), ask_bytes(ask, "data"), out, n, &ask->err) != E_OK)
        return NULL;
    return values_json(out, n);
}

json_t *op_abi_event(struct ask *ask)
{
    struct abi_value out[ABI_VALUES_MAX];
    size_t n = (size_t)ask_u64(ask, "n");
    struct abi_log log = {.data = ask_bytes(ask, "data")};

    log.topics = ask_digests(ask, "topics", &log.n_topics);
    if (abi_event(ask_text(ask, "event"), &log, out, n, &ask->err) != E_OK)
        return NULL;
    return values_json(out, n);
}

json_t *op_abi_topic(struct ask *ask)
{
    struct digest d = abi_topic(ask_text(ask, "event"));

    return shape_json(d.b, 32);
}

static struct tx tx_of(struct ask *ask)
{
    struct tx tx = {.chain_id = ask_u64(ask, "chainId"),
                    .nonce = ask_u64(ask, "nonce"),
                    .gas = ask_u64(ask, "gas"),
                    .max_fee = ask_u64(ask, "maxFee"),
                    .priority_fee = ask_u64(ask, "priorityFee"),
                    .data = ask_bytes(ask, "data")};

    tx.type = strcmp(ask_text(ask, "type"), "legacy") == 0 ? TX_LEGACY : TX_EIP1559;
    ask_fixed(ask, "value", tx.value, 32);
    if (json_is_null(json_object_get(ask->in, "to")))
        tx.create = true;
    else
        ask_fixed(ask, "to", tx.to.b, 20);
    return tx;
}

json_t *op_tx(struct ask *ask)
{
    struct tx tx = tx_of(ask);
    struct buf raw = {.cap = 0};
    struct signer *signer;
    struct signature sig;
    struct digest digest;
    struct digest hash;
    uint8_t key[32];
    json_t *out = NULL;

    ask_fixed(ask, "key", key, 32);
    if (signer_from_bytes(key, &signer, &ask->err) != E_OK)
        return NULL;
    if (tx_sign_digest(&tx, &digest, &ask->err) == E_OK) {
        sig = signer_sign(signer, digest);
        if (tx_encode(&tx, &sig, &raw, &hash, &ask->err) == E_OK)
            out = json_pack("{s:o, s:o, s:o}", "digest", shape_json(digest.b, 32), "raw",
                            shape_json(raw.p, raw.n), "hash", shape_json(hash.b, 32));
    }
    buf_done(&raw);
    signer_free(signer);
    return out;
}

json_t *op_merkle(struct ask *ask)
{
    struct digest root;
    size_t n;
    struct digest *leaves = ask_digests(ask, "leaves", &n);

    if (merkle_root(leaves, n, &root, &ask->err) != E_OK)
        return NULL;
    return shape_json(root.b, 32);
}

json_t *op_proof(struct ask *ask)
{
    struct merkle_proof proof;
    size_t n;
    struct digest *leaves = ask_digests(ask, "leaves", &n);
    size_t index = (size_t)ask_u64(ask, "index");
    json_t *list;

    if (merkle_proof(leaves, n, index, ask->arena, &proof, &ask->err) != E_OK)
        return NULL;
    list = json_array();
    for (size_t i = 0; i < proof.n; i++)
        json_array_append_new(list, shape_json(proof.siblings[i].b, 32));
    return list;
}

json_t *op_verify(struct ask *ask)
{
    struct digest leaf = {{0}};
    struct digest root = {{0}};
    size_t n;
    struct digest *proof = ask_digests(ask, "proof", &n);

    ask_fixed(ask, "leaf", leaf.b, 32);
    ask_fixed(ask, "root", root.b, 32);
    return json_boolean(merkle_verify(leaf, proof, n, root));
}

/* A list of {id, spent, units} as calldata and its root. */
json_t *op_entries(struct ask *ask)
{
    const json_t *list = json_object_get(ask->in, "entries");
    struct buf out = {.cap = 0};
    struct digest root;
    json_t *v = NULL;
    bool ok = true;

    for (size_t i = 0; i < json_array_size(list) && ok; i++) {
        struct ask one = {.in = json_array_get(list, i), .arena = ask->arena};
        struct entry e = {.id = (uint32_t)ask_u64(&one, "id"),
                          .spent = json_is_true(json_object_get(one.in, "spent")),
                          .units = ask_u64(&one, "units")};
        struct entry back;

        ok = entry_encode(e, &out, &ask->err) == E_OK;
        if (!ok)
            break;
        back = entry_decode(out.p + i * ENTRY_SIZE);
        if (back.id != e.id || back.spent != e.spent || back.units != e.units)
            malformed("an entry did not read back");
    }
    if (ok && entries_root(bytes_of(out.p, out.n), &root, &ask->err) == E_OK)
        v = json_pack("{s:o, s:o}", "bytes", shape_json(out.p, out.n), "root",
                      shape_json(root.b, 32));
    buf_done(&out);
    return v;
}
