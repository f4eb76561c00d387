/* SPDX-License-Identifier: MIT */
/*
 * Decoding what a stranger's contract returned. Depth is bounded by the type, never by the data;
 * every item of an array takes at least one word of the data, so a length cannot ask for more
 * memory than a few times the bytes that came; tails must follow each other without gap or overlap.
 */
#include "eth/abi.h"
#include "eth/abi_tree.h"

#define WORD 32

struct reader {
    struct bytes data; /* of the tuple or array whose offsets are read */
    size_t tail;       /* where its next tail must begin */
    struct arena *arena;
    struct err *err;
};

static enum err_code cut(const struct reader *r)
{
    return err_set(r->err, E_PEER, "ABI: the data ends too early");
}

/* A word as a size or offset; what does not fit 64 bits is beyond any data. */
static uint64_t number_at(struct bytes data, size_t at)
{
    struct abi_value v;
    uint64_t n;

    memcpy(v.word, data.p + at, WORD);
    (void)abi_to_u64(&v, &n);
    return n;
}

static enum err_code take(const struct abi_type *t, struct reader *r, size_t at,
                          struct abi_node *out);

/* `n` items whose heads begin at r->data; moves r->tail behind the last tail. */
static enum err_code take_items(const struct abi_type *t, struct reader *r, size_t n,
                                struct abi_node *out)
{
    size_t step = t->kind == ABI_TUPLE;
    const struct abi_type *child = t + 1;
    enum err_code rc = E_OK;
    size_t at = 0;

    out->items = arena_alloc(r->arena, (n + 1) * sizeof(*out->items));
    out->n = n;
    for (size_t i = 0; i < n && rc == E_OK; i++, child += step * child->span) {
        rc = take(child, r, at, &out->items[i]);
        at += child->head;
    }
    return rc;
}

static size_t heads_of(const struct abi_type *t)
{
    const struct abi_type *child = t + 1;
    size_t n = 0;

    for (unsigned i = 0; i < t->children; i++, child += child->span)
        n += child->head;
    return n;
}

/* Bytes or a string behind its length word. */
static enum err_code take_data(struct reader *r, struct bytes *out)
{
    size_t at = r->tail;
    uint64_t n;
    size_t whole;

    if (r->data.n - at < WORD)
        return cut(r);
    n = number_at(r->data, at);
    at += WORD;
    if (n > r->data.n - at)
        return cut(r);
    whole = (size_t)(n + WORD - 1) / WORD * WORD;
    if (whole > r->data.n - at)
        return cut(r);
    for (size_t i = (size_t)n; i < whole; i++)
        if (r->data.p[at + i] != 0)
            return err_set(r->err, E_PEER, "ABI: dirty padding");
    *out = bytes_of(r->data.p + at, (size_t)n);
    r->tail = at + whole;
    return E_OK;
}

/* An array or a dynamic tuple at r->tail: its offsets count from its own first head. */
static enum err_code take_nested(const struct abi_type *t, struct reader *r, struct abi_node *out)
{
    struct reader in = *r;
    size_t at = r->tail;
    uint64_t n = t->children;
    size_t heads;
    enum err_code rc;

    if (t->kind == ABI_ARRAY) {
        if (r->data.n - at < WORD)
            return cut(r);
        n = number_at(r->data, at);
        at += WORD;
        if (n > (r->data.n - at) / t[1].head)
            return cut(r);
        heads = (size_t)n * t[1].head;
    } else {
        heads = heads_of(t);
        if (heads > r->data.n - at)
            return cut(r);
    }
    in.data = bytes_of(r->data.p + at, r->data.n - at);
    in.tail = heads;
    rc = take_items(t, &in, (size_t)n, out);
    r->tail = at + in.tail;
    return rc;
}

/* A static tuple lies in its parent's head. */
static enum err_code take_static_tuple(const struct abi_type *t, struct reader *r, size_t at,
                                       struct abi_node *out)
{
    struct reader in = *r;

    in.data = bytes_of(r->data.p + at, r->data.n - at);
    return take_items(t, &in, t->children, out);
}

/* The value whose head is at `at`; the caller has seen that all heads are there. */
static enum err_code take(const struct abi_type *t, struct reader *r, size_t at,
                          struct abi_node *out)
{
    if (!t->dynamic && t->kind == ABI_TUPLE)
        return take_static_tuple(t, r, at, out);
    if (!t->dynamic) {
        memcpy(out->word, r->data.p + at, WORD);
        return abi_word_fits(t, out->word)
                   ? E_OK
                   : err_set(r->err, E_PEER, "ABI: a value does not fit %.*s", (int)t->word.n,
                             t->word.s);
    }
    if (number_at(r->data, at) != r->tail)
        return err_set(r->err, E_PEER, "ABI: an offset is wrong");
    if (t->kind == ABI_BYTES || t->kind == ABI_STRING)
        return take_data(r, &out->data);
    return take_nested(t, r, out);
}

enum err_code abi_tree_decode(const struct abi_types *types, struct bytes data, struct arena *a,
                              struct abi_node *out, struct err *err)
{
    struct reader r = {.data = data, .tail = heads_of(types->t), .arena = a, .err = err};
    struct abi_node value = {.n = 0};
    enum err_code rc;

    if (r.tail > data.n)
        return cut(&r);
    rc = take_items(types->t, &r, types->t->children, &value);
    if (rc == E_OK && r.tail != data.n)
        rc = err_set(err, E_PEER, "ABI: %zu bytes left over", data.n - r.tail);
    if (rc == E_OK)
        *out = value;
    return rc;
}
