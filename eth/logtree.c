/* SPDX-License-Identifier: MIT */
#include "eth/logtree.h"

#include "lib/hash.h"

struct digest logtree_leaf(struct bytes entry)
{
    struct sha256_stream *h = sha256_begin();

    sha256_add(h, "\x00", 1);
    sha256_add(h, entry.p, entry.n);
    return sha256_end(h);
}

static struct digest node(struct digest left, struct digest right)
{
    uint8_t pair[1 + 2 * sizeof(left.b)] = {0x01};

    memcpy(pair + 1, left.b, sizeof(left.b));
    memcpy(pair + 1 + sizeof(left.b), right.b, sizeof(right.b));
    return sha256(pair, sizeof(pair));
}

/* The largest power of two below n, n > 1. */
static size_t split(size_t n)
{
    size_t k = 1;

    while (k < n - k)
        k *= 2;
    return k;
}

struct digest logtree_root(const struct digest *leaves, size_t n)
{
    size_t k;

    if (n == 0)
        return sha256("", 0);
    if (n == 1)
        return leaves[0];
    k = split(n);
    /* As deep as n has bits. */
    return node(logtree_root(leaves, k), logtree_root(leaves + k, n - k));
}

enum err_code logtree_proof(const struct digest *leaves, size_t n, size_t index, struct arena *a,
                            struct merkle_proof *out, struct err *err)
{
    struct merkle_proof proof = {.n = 0};
    struct digest down[64]; /* from the root; no tree is deeper than a size_t has bits */

    if (index >= n)
        return err_set(err, E_RANGE, "leaf %zu of %zu", index, n);
    while (n > 1) {
        size_t k = split(n);

        if (index < k) {
            down[proof.n++] = logtree_root(leaves + k, n - k);
            n = k;
        } else {
            down[proof.n++] = logtree_root(leaves, k);
            leaves += k;
            index -= k;
            n -= k;
        }
    }
    proof.siblings = arena_alloc(a, (proof.n + 1) * sizeof(*proof.siblings));
    for (size_t i = 0; i < proof.n; i++)
        proof.siblings[i] = down[proof.n - 1 - i];
    *out = proof;
    return E_OK;
}

bool logtree_verify(struct digest leaf, const struct logtree_path *path, struct digest root)
{
    uint64_t at = path->index;
    uint64_t last = path->size - 1;

    if (path->index >= path->size)
        return false;
    for (size_t i = 0; i < path->n; i++) {
        if (last == 0)
            return false;
        if (at % 2 == 1 || at == last) {
            leaf = node(path->siblings[i], leaf);
            while (at % 2 == 0 && at != 0) {
                at /= 2;
                last /= 2;
            }
        } else {
            leaf = node(leaf, path->siblings[i]);
        }
        at /= 2;
        last /= 2;
    }
    return last == 0 && memcmp(leaf.b, root.b, sizeof(root.b)) == 0;
}
