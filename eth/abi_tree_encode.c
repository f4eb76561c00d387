/* SPDX-License-Identifier: MIT */
#include "eth/abi.h"
#include "eth/abi_tree.h"

#define WORD 32

static enum err_code put_u64(struct buf *out, uint64_t v, struct err *err)
{
    struct abi_value word = abi_u64(v);

    return buf_add(out, word.word, WORD, err);
}

static size_t padded(size_t n)
{
    return (n + WORD - 1) / WORD * WORD;
}

/* Bytes of the value outside its parent's head, or of the whole value when it is static. */
static size_t size_of(const struct abi_type *t, const struct abi_node *v)
{
    const struct abi_type *child = t + 1;
    size_t n = t->kind == ABI_ARRAY ? WORD : 0;

    if (t->kind == ABI_BYTES || t->kind == ABI_STRING)
        return WORD + padded(v->data.n);
    if (t->kind != ABI_ARRAY && t->kind != ABI_TUPLE)
        return WORD;
    for (size_t i = 0; i < v->n; i++) {
        n += size_of(child, &v->items[i]) + (child->dynamic ? WORD : 0);
        if (t->kind == ABI_TUPLE)
            child += child->span;
    }
    return n;
}

static enum err_code put_value(const struct abi_type *t, const struct abi_node *v, struct buf *out,
                               struct err *err);

/* Heads, then tails: the items of a tuple, or of an array. */
static enum err_code put_items(const struct abi_type *t, const struct abi_node *v, struct buf *out,
                               struct err *err)
{
    size_t step = t->kind == ABI_TUPLE;
    const struct abi_type *child = t + 1;
    enum err_code rc = E_OK;
    size_t at = 0;

    if (t->kind == ABI_TUPLE && v->n != t->children)
        return err_set(err, E_RANGE, "a tuple of %u has %zu items", t->children, v->n);
    for (size_t i = 0; i < v->n; i++, child += step * child->span)
        at += child->head;
    child = t + 1;
    for (size_t i = 0; i < v->n && rc == E_OK; i++, child += step * child->span) {
        if (!child->dynamic) {
            rc = put_value(child, &v->items[i], out, err);
            continue;
        }
        rc = put_u64(out, at, err);
        at += size_of(child, &v->items[i]);
    }
    child = t + 1;
    for (size_t i = 0; i < v->n && rc == E_OK; i++, child += step * child->span)
        if (child->dynamic)
            rc = put_value(child, &v->items[i], out, err);
    return rc;
}

static enum err_code put_data(struct bytes data, struct buf *out, struct err *err)
{
    static const uint8_t zeros[WORD];
    enum err_code rc = put_u64(out, data.n, err);

    if (rc == E_OK && data.n > 0)
        rc = buf_add(out, data.p, data.n, err);
    if (rc == E_OK)
        rc = buf_add(out, zeros, padded(data.n) - data.n, err);
    return rc;
}

static enum err_code put_value(const struct abi_type *t, const struct abi_node *v, struct buf *out,
                               struct err *err)
{
    enum err_code rc;

    switch (t->kind) {
    case ABI_BYTES:
    case ABI_STRING:
        return put_data(v->data, out, err);
    case ABI_ARRAY:
        rc = put_u64(out, v->n, err);
        return rc == E_OK ? put_items(t, v, out, err) : rc;
    case ABI_TUPLE:
        return put_items(t, v, out, err);
    case ABI_UINT:
    case ABI_FIXED:
        break;
    }
    if (!abi_word_fits(t, v->word))
        return err_set(err, E_RANGE, "a value does not fit %.*s", (int)t->word.n, t->word.s);
    return buf_add(out, v->word, WORD, err);
}

enum err_code abi_tree_encode(const struct abi_types *types, const struct abi_node *value,
                              struct buf *out, struct err *err)
{
    size_t before = out->n;
    enum err_code rc = put_items(types->t, value, out, err);

    if (rc != E_OK)
        out->n = before;
    return rc;
}
