/* SPDX-License-Identifier: MIT */
/* The hand-written decoders of bytes that strangers send. */
#include <stdlib.h>
#include <string.h>

#include "core/manifest.h"
#include "eth/rlp.h"
#include "eth/rpc_shape.h"
#include "eth/upstream.h"
#include "lib/json.h"
#include "server/guard.h"
#include "tests/fuzz/fuzz.h"
#include "workers/contain/egress_head.h"
#include "workers/image/document.h"

static void must(bool held)
{
    if (!held)
        abort();
}

/* The first byte says which row of the table is returned; what decodes must encode to the same. */
static void run_abi_tree(const uint8_t *p, size_t n)
{
    const struct upstream_entry *e = n > 0 ? &upstream_abi[p[0] % upstream_abi_n] : NULL;
    struct arena *a = arena_new();
    struct buf again = {.cap = 0};
    struct abi_types types;
    struct abi_node v;

    if (e && abi_types_parse(e->in, &types, NULL) == E_OK &&
        abi_tree_decode(&types, bytes_of(p + 1, n - 1), a, &v, NULL) == E_OK) {
        must(abi_tree_encode(&types, &v, &again, NULL) == E_OK);
        must(again.n == n - 1 && (again.n == 0 || memcmp(again.p, p + 1, n - 1) == 0));
    }
    buf_done(&again);
    arena_free(a);
}

static void run_abi(const uint8_t *p, size_t n)
{
    static const char *const types[] = {"(bytes)", "(uint64,bytes,uint8,bytes32[])",
                                        "(uint64,uint64,bytes32,bytes32,bytes)",
                                        "(bytes32[],bytes)"};
    static const size_t counts[] = {1, 4, 5, 2};
    struct abi_value v[ABI_VALUES_MAX];
    size_t which = n > 0 ? p[0] % ARRAY_LEN(types) : 0;
    size_t sum = 0;

    if (n == 0 || abi_decode(types[which], bytes_of(p + 1, n - 1), v, counts[which], NULL) != E_OK)
        return;
    for (size_t i = 0; i < counts[which]; i++)
        for (size_t k = 0; k < v[i].data.n; k++)
            sum += v[i].data.p[k];
    must(sum <= n * 255);
}

/* Lists in lists, as deep as they go; an item of one encoding only encodes back. */
static void take_rlp(struct bytes in, unsigned depth)
{
    struct rlp_item item;

    while (in.n > 0 && rlp_take(&in, &item, NULL) == E_OK) {
        if (item.list && depth < 64)
            take_rlp(item.payload, depth + 1);
    }
}

static void run_rlp(const uint8_t *p, size_t n)
{
    struct bytes in = {p, n};
    struct bytes rest = in;
    struct rlp_item item;
    struct buf again = {.cap = 0};

    take_rlp(in, 0);
    if (n > 0 && rlp_take(&rest, &item, NULL) == E_OK) {
        must((item.list ? rlp_list(&again, item.payload, NULL)
                        : rlp_bytes(&again, item.payload.p, item.payload.n, NULL)) == E_OK);
        must(again.n == n - rest.n && memcmp(again.p, p, again.n) == 0);
    }
    buf_done(&again);
}

static void run_rpc_shape(const uint8_t *p, size_t n)
{
    struct arena *a = arena_new();
    uint8_t word[32];
    struct bytes bytes;
    uint64_t number;
    json_t *v = NULL;
    const char *key;
    json_t *member;

    if (json_parse((const char *)p, n, &v, NULL) == E_OK) {
        json_object_foreach(v, key, member)
        {
            (void)!shape_u64(member, "u64", &number, NULL);
            (void)!shape_word(member, "word", word, NULL);
            (void)!shape_fixed(member, "fixed", word, 20, NULL);
            if (shape_bytes(member, "bytes", a, &bytes, NULL) == E_OK)
                must(bytes.n <= n);
        }
    }
    json_decref(v);
    arena_free(a);
}

/* What parses has a canonical form that parses to the same canonical form. */
static void run_json(const uint8_t *p, size_t n)
{
    struct arena *a = arena_new();
    json_t *v = NULL;
    json_t *w = NULL;
    struct text first;
    struct text second;

    if (json_parse((const char *)p, n, &v, NULL) == E_OK &&
        json_canonical(v, a, &first, NULL) == E_OK) {
        must(json_parse(first.s, first.n, &w, NULL) == E_OK);
        must(json_canonical(w, a, &second, NULL) == E_OK);
        must(text_eq(first, second));
    }
    json_decref(v);
    json_decref(w);
    arena_free(a);
}

static void run_manifest(const uint8_t *p, size_t n)
{
    struct manifest m;
    json_t *v = NULL;

    if (json_parse((const char *)p, n, &v, NULL) == E_OK && manifest_read(v, &m, NULL) == E_OK)
        must(m.environments != 0 && m.environments < 8);
    json_decref(v);
}

static void run_document(const uint8_t *p, size_t n)
{
    struct image *image = calloc(1, sizeof(*image));
    struct arena *a = arena_new();
    struct document d;
    json_t *v = NULL;

    must(image != NULL);
    if (json_parse((const char *)p, n, &v, NULL) == E_OK) {
        if (document_is_index(v))
            (void)document_choose(v);
        if (document_read(v, &d, NULL) == E_OK)
            must(d.layer_count > 0 && d.layer_count <= DOCUMENT_LAYERS_MAX);
        if (document_config(v, image, a, NULL) == E_OK)
            must(image->uid != 0 && image->gid != 0);
    }
    json_decref(v);
    arena_free(a);
    free(image);
}

/* A line up to a newline; the rest stays. */
static struct text line(struct text *rest)
{
    const char *end = rest->n > 0 ? memchr(rest->s, '\n', rest->n) : NULL;
    size_t n = end ? (size_t)(end - rest->s) : rest->n;
    struct text out = {rest->s, n};

    rest->s += end ? n + 1 : n;
    rest->n -= end ? n + 1 : n;
    return out;
}

/* "METHOD target", then "Name:value" lines. */
static void run_guard(const uint8_t *p, size_t n)
{
    struct text rest = {(const char *)p, n};
    struct text first = line(&rest);
    const char *blank = first.n > 0 ? memchr(first.s, ' ', first.n) : NULL;
    size_t method_n = blank ? (size_t)(blank - first.s) : first.n;
    char method[16] = {0};
    struct guard g;

    memcpy(method, first.s, method_n < sizeof(method) ? method_n : sizeof(method) - 1);
    if (blank)
        (void)guard_target((struct text){blank + 1, first.n - method_n - 1});
    guard_begin(&g, method, "HTTP/1.1");
    while (rest.n > 0) {
        struct text header = line(&rest);
        const char *colon = header.n > 0 ? memchr(header.s, ':', header.n) : NULL;
        size_t name = colon ? (size_t)(colon - header.s) : header.n;

        guard_header(&g, (struct text){header.s, name},
                     colon ? (struct text){colon + 1, header.n - name - 1} : text_of(""));
    }
    guard_end(&g);
    if (!g.fault)
        must(!(g.chunked && g.content_length >= 0));
}

static bool is_once(const struct buf *b, const char *what)
{
    const uint8_t *at = memmem(b->p, b->n, what, strlen(what));
    size_t rest = at ? b->n - (size_t)(at + 1 - b->p) : 0;

    return at && !memmem(at + 1, rest, what, strlen(what));
}

/* What a host gets to read has one end and one Host, and is hardly longer than what came. */
static void run_egress_head(const uint8_t *p, size_t n)
{
    struct egress_request q;
    struct egress_refusal no = {0, NULL};
    struct buf forward = {.cap = (size_t)2 * EGRESS_HEAD_MAX};

    if (n > EGRESS_HEAD_MAX)
        return;
    if (!egress_head_read((const char *)p, n, &q, &forward, &no)) {
        must(no.status >= 400 && no.why != NULL);
    } else {
        must(q.port != 0 && q.length >= 0 && strlen(q.host) <= EGRESS_NAME_MAX);
        must(q.tunnel == (forward.n == 0) && forward.n <= n + 64);
        must(q.tunnel || (is_once(&forward, "\r\n\r\n") && is_once(&forward, "\r\nHost: ")));
    }
    buf_done(&forward);
}

const struct fuzz_target fuzz_targets[] = {
    {"abi_tree", run_abi_tree},   {"abi", run_abi},     {"rlp", run_rlp},
    {"rpc_shape", run_rpc_shape}, {"json", run_json},   {"manifest", run_manifest},
    {"document", run_document},   {"guard", run_guard}, {"egress_head", run_egress_head},
};
const size_t fuzz_targets_n = ARRAY_LEN(fuzz_targets);
