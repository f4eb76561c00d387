/* SPDX-License-Identifier: MIT */
/* JSON lines in, JSON lines out: our own hashes, encodings and signatures for the oracle tests. */
#include "tests/support/eth_driver.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eth/address.h"
#include "eth/eip712.h"
#include "eth/keccak.h"
#include "eth/rlp.h"
#include "eth/sign.h"
#include "lib/hex.h"

void malformed(const char *what)
{
    fprintf(stderr, "eth_driver: malformed question: %s\n", what);
    exit(2);
}

const char *ask_text(const struct ask *ask, const char *name)
{
    const char *s = json_string_value(json_object_get(ask->in, name));

    if (!s)
        malformed(name);
    return s;
}

struct bytes bytes_of_json(struct arena *a, const json_t *v)
{
    const char *s = json_string_value(v);
    size_t n;
    uint8_t *p;

    if (!s || strncmp(s, "0x", 2) != 0 || strlen(s) % 2 != 0)
        malformed("hex");
    n = (strlen(s) - 2) / 2;
    p = arena_alloc(a, n + 1);
    if (n > 0 && !hex_decode(s, strlen(s), p, n))
        malformed("hex");
    return bytes_of(p, n);
}

struct bytes ask_bytes(struct ask *ask, const char *name)
{
    return bytes_of_json(ask->arena, json_object_get(ask->in, name));
}

void ask_fixed(struct ask *ask, const char *name, void *out, size_t n)
{
    struct bytes b = ask_bytes(ask, name);

    if (b.n != n)
        malformed(name);
    memcpy(out, b.p, n);
}

uint64_t ask_u64(const struct ask *ask, const char *name)
{
    return strtoull(ask_text(ask, name), NULL, 10);
}

struct digest *ask_digests(struct ask *ask, const char *name, size_t *n)
{
    const json_t *list = json_object_get(ask->in, name);
    struct digest *out;

    *n = json_array_size(list);
    out = arena_alloc(ask->arena, (*n + 1) * sizeof(*out));
    for (size_t i = 0; i < *n; i++) {
        struct bytes b = bytes_of_json(ask->arena, json_array_get(list, i));

        if (b.n != 32)
            malformed(name);
        memcpy(out[i].b, b.p, 32);
    }
    return out;
}

static json_t *op_keccak(struct ask *ask)
{
    struct bytes b = ask_bytes(ask, "data");
    struct digest whole = keccak256(b.p, b.n);
    struct digest pieces;
    struct keccak k;

    /* the same in uneven pieces must agree, or the answer is withheld */
    keccak_begin(&k);
    for (size_t at = 0, step = 1; at < b.n; at += step, step = step % 97 + 13) {
        if (step > b.n - at)
            step = b.n - at;
        keccak_add(&k, b.p + at, step);
    }
    pieces = keccak_end(&k);
    if (memcmp(whole.b, pieces.b, 32) != 0) {
        err_set(&ask->err, E_INTERNAL, "pieces differ from the whole");
        return NULL;
    }
    return shape_json(whole.b, 32);
}

static json_t *op_address(struct ask *ask)
{
    char text[ADDRESS_TEXT_MAX];
    struct address a;

    if (!address_parse(text_of(ask_text(ask, "text")), &a)) {
        err_set(&ask->err, E_VALIDATION, "no address");
        return NULL;
    }
    address_format(a, text);
    return json_string(text);
}

/* ---- RLP: nested lists of hex texts ---- */

static void rlp_put(struct ask *ask, const json_t *v, struct buf *out)
{
    struct buf items = {.cap = 0};
    struct bytes b;

    if (!json_is_array(v)) {
        b = bytes_of_json(ask->arena, v);
        if (rlp_bytes(out, b.p, b.n, &ask->err) != E_OK)
            malformed("rlp");
        return;
    }
    for (size_t i = 0; i < json_array_size(v); i++)
        rlp_put(ask, json_array_get(v, i), &items);
    if (rlp_list(out, bytes_of(items.p, items.n), &ask->err) != E_OK)
        malformed("rlp");
    buf_done(&items);
}

static json_t *op_rlp(struct ask *ask)
{
    struct buf out = {.cap = 0};
    json_t *v;

    rlp_put(ask, json_object_get(ask->in, "item"), &out);
    v = shape_json(out.p, out.n);
    buf_done(&out);
    return v;
}

static json_t *rlp_get(struct ask *ask, struct bytes *in)
{
    struct rlp_item item;
    json_t *list;

    if (rlp_take(in, &item, &ask->err) != E_OK)
        return NULL;
    if (!item.list)
        return shape_json(item.payload.p, item.payload.n);
    list = json_array();
    while (item.payload.n > 0) {
        json_t *v = rlp_get(ask, &item.payload);

        if (!v) {
            json_decref(list);
            return NULL;
        }
        json_array_append_new(list, v);
    }
    return list;
}

static json_t *op_rlp_decode(struct ask *ask)
{
    struct bytes in = ask_bytes(ask, "data");
    json_t *v = rlp_get(ask, &in);

    if (v && in.n > 0) {
        json_decref(v);
        err_set(&ask->err, E_PEER, "bytes left over");
        return NULL;
    }
    return v;
}

static json_t *op_rlp_number(struct ask *ask)
{
    struct buf out = {.cap = 0};
    struct bytes b = ask_bytes(ask, "be");
    json_t *v;

    if (rlp_number(&out, b.p, b.n, &ask->err) != E_OK)
        return NULL;
    v = shape_json(out.p, out.n);
    buf_done(&out);
    return v;
}

/* ---- signatures ---- */

static struct eip712_domain domain_of(struct ask *ask)
{
    struct eip712_domain d = {.chain_id = ask_u64(ask, "chainId")};

    ask_fixed(ask, "contract", d.contract.b, 20);
    return d;
}

static json_t *op_binding(struct ask *ask)
{
    struct eip712_domain domain = domain_of(ask);
    struct eip712_binding m = {.nonce = ask_u64(ask, "nonce"),
                               .deadline = ask_u64(ask, "deadline")};
    struct digest d;

    ask_fixed(ask, "provider", m.provider.b, 20);
    ask_fixed(ask, "master", m.master.b, 20);
    d = eip712_binding_digest(&domain, &m);
    return shape_json(d.b, 32);
}

static json_t *op_registration(struct ask *ask)
{
    struct eip712_domain domain = domain_of(ask);
    struct eip712_registration m = {.environments = (uint8_t)ask_u64(ask, "environments"),
                                    .nonce = ask_u64(ask, "nonce"),
                                    .deadline = ask_u64(ask, "deadline")};
    struct digest d;

    ask_fixed(ask, "provider", m.provider.b, 20);
    ask_fixed(ask, "manifest", m.manifest.b, 32);
    d = eip712_registration_digest(&domain, &m);
    return shape_json(d.b, 32);
}

static json_t *op_response(struct ask *ask)
{
    struct eip712_domain domain = domain_of(ask);
    struct eip712_response m = {.epoch = (uint32_t)ask_u64(ask, "epoch")};
    struct digest d;

    ask_fixed(ask, "task", m.task.b, 16);
    ask_fixed(ask, "attempt", m.attempt.b, 16);
    ask_fixed(ask, "provider", m.provider.b, 20);
    ask_fixed(ask, "manifest", m.manifest.b, 32);
    ask_fixed(ask, "input", m.input.b, 32);
    ask_fixed(ask, "output", m.output.b, 32);
    d = eip712_response_digest(&domain, &m);
    return shape_json(d.b, 32);
}

static json_t *op_recover(struct ask *ask)
{
    char text[ADDRESS_TEXT_MAX];
    struct digest digest = {{0}};
    struct address a;

    ask_fixed(ask, "digest", digest.b, 32);
    if (secp_recover(digest, ask_bytes(ask, "signature"), &a, &ask->err) != E_OK)
        return NULL;
    address_format(a, text);
    return json_string(text);
}

static json_t *op_sign(struct ask *ask)
{
    struct signer *signer;
    struct signature sig;
    struct digest digest = {{0}};
    uint8_t key[32] = {0};

    ask_fixed(ask, "key", key, 32);
    ask_fixed(ask, "digest", digest.b, 32);
    if (signer_from_bytes(key, &signer, &ask->err) != E_OK)
        return NULL;
    sig = signer_sign(signer, digest);
    signer_free(signer);
    return shape_json(sig.b, sizeof(sig.b));
}

static const struct {
    const char *name;
    op_fn *run;
} ops[] = {
    {"keccak", op_keccak},
    {"address", op_address},
    {"rlp", op_rlp},
    {"rlp_decode", op_rlp_decode},
    {"rlp_number", op_rlp_number},
    {"abi_call", op_abi_call},
    {"abi_decode", op_abi_decode},
    {"abi_event", op_abi_event},
    {"abi_topic", op_abi_topic},
    {"binding", op_binding},
    {"registration", op_registration},
    {"response", op_response},
    {"recover", op_recover},
    {"sign", op_sign},
    {"tx", op_tx},
    {"merkle", op_merkle},
    {"proof", op_proof},
    {"verify", op_verify},
    {"entries", op_entries},
    {"log", op_log},
    {"log_verify", op_log_verify},
    {"close", op_close},
    {"canonical", op_canonical},
    {"sha256", op_sha256},
    {"key_make", op_key_make},
    {"key_check", op_key_check},
    {"states", op_states},
    {"edges", op_edges},
    {"tree_encode", op_tree_encode},
    {"tree_decode", op_tree_decode},
    {"upstream", op_upstream},
    {"upstream_call", op_upstream_call},
    {"upstream_call_read", op_upstream_call_read},
    {"upstream_return", op_upstream_return},
    {"upstream_return_read", op_upstream_return_read},
    {"upstream_log", op_upstream_log},
    {"upstream_log_read", op_upstream_log_read},
};

static json_t *answer(struct ask *ask)
{
    const char *name = ask_text(ask, "op");

    for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
        json_t *out;

        if (strcmp(ops[i].name, name) != 0)
            continue;
        out = ops[i].run(ask);
        if (out)
            return json_pack("{s:o}", "out", out);
        return json_pack("{s:s, s:s}", "error", err_info(ask->err.code)->name, "text",
                         ask->err.text);
    }
    malformed(name);
    return NULL;
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;

    while ((n = getline(&line, &room, stdin)) > 0) {
        struct ask ask = {.arena = arena_new()};
        json_t *in = json_loadb(line, (size_t)n, 0, NULL);
        json_t *out;

        if (!in)
            malformed("line");
        ask.in = in;
        out = answer(&ask);
        json_dumpf(out, stdout, JSON_COMPACT);
        putchar('\n');
        fflush(stdout);
        json_decref(out);
        json_decref(in);
        arena_free(ask.arena);
    }
    free(line);
    return 0;
}
