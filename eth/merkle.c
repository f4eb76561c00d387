/* SPDX-License-Identifier: MIT */
#include "eth/merkle.h"

#include <stdlib.h>

#include "eth/keccak.h"

/* OpenZeppelin's commutative node hash. */
static struct digest node(const struct digest *a, const struct digest *b)
{
    struct digest pair[2] = {*a, *b};

    if (memcmp(a->b, b->b, sizeof(a->b)) > 0) {
        pair[0] = *b;
        pair[1] = *a;
    }
    return keccak256(pair, sizeof(pair));
}

static struct digest *build(const struct digest *leaves, size_t n)
{
    struct digest *tree = n <= SIZE_MAX / 2 ? calloc(2 * n - 1, sizeof(*tree)) : NULL;

    if (!tree)
        abort();
    for (size_t i = 0; i < n; i++)
        tree[2 * n - 2 - i] = leaves[i];
    for (size_t i = n - 1; i-- > 0;)
        tree[i] = node(&tree[2 * i + 1], &tree[2 * i + 2]);
    return tree;
}

enum err_code merkle_root(const struct digest *leaves, size_t n, struct digest *out,
                          struct err *err)
{
    struct digest *tree;

    if (n == 0)
        return err_set(err, E_RANGE, "a tree needs a leaf");
    tree = build(leaves, n);
    *out = tree[0];
    free(tree);
    return E_OK;
}

enum err_code merkle_proof(const struct digest *leaves, size_t n, size_t index, struct arena *a,
                           struct merkle_proof *out, struct err *err)
{
    struct merkle_proof proof = {.n = 0};
    struct digest *tree;

    if (index >= n)
        return err_set(err, E_RANGE, "leaf %zu of %zu", index, n);
    tree = build(leaves, n);
    /* no tree is deeper than a size_t has bits */
    proof.siblings = arena_alloc(a, 64 * sizeof(*proof.siblings));
    for (size_t i = 2 * n - 2 - index; i > 0; i = (i - 1) / 2)
        proof.siblings[proof.n++] = tree[i % 2 == 1 ? i + 1 : i - 1];
    free(tree);
    *out = proof;
    return E_OK;
}

struct digest merkle_climb(struct digest leaf, const struct digest *proof, size_t proof_n)
{
    for (size_t i = 0; i < proof_n; i++)
        leaf = node(&leaf, &proof[i]);
    return leaf;
}

bool merkle_verify(struct digest leaf, const struct digest *proof, size_t proof_n,
                   struct digest root)
{
    leaf = merkle_climb(leaf, proof, proof_n);
    return memcmp(leaf.b, root.b, sizeof(leaf.b)) == 0;
}
