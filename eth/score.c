/* SPDX-License-Identifier: MIT */
#include "eth/score.h"

#include <stdlib.h>

#include "eth/abi.h"
#include "eth/keccak.h"

struct digest score_hash(const struct score_leaf *leaf)
{
    /* A struct of static members encodes as its members one after the other. */
    const struct abi_value words[] = {abi_address(leaf->provider),  abi_u64(leaf->accepted),
                                      abi_u64(leaf->rejected),      abi_u64(leaf->expired),
                                      abi_u64(leaf->score),         abi_u64(leaf->epoch),
                                      abi_digest(leaf->events_root)};
    struct keccak k;
    struct digest inner;

    keccak_begin(&k);
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        keccak_add(&k, words[i].word, sizeof(words[i].word));
    inner = keccak_end(&k);
    return keccak256(inner.b, sizeof(inner.b));
}

static int ascending(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct digest));
}

/* The hashes in the tree's order; free(). */
static struct digest *hashes_of(const struct score_leaf *leaves, size_t n)
{
    struct digest *hashes = calloc(n, sizeof(*hashes));

    if (!hashes)
        abort();
    for (size_t i = 0; i < n; i++)
        hashes[i] = score_hash(&leaves[i]);
    qsort(hashes, n, sizeof(*hashes), ascending);
    return hashes;
}

struct digest score_root(const struct score_leaf *leaves, size_t n)
{
    struct digest root = {{0}};
    struct digest *hashes;
    struct err err;

    if (n == 0)
        return root;
    hashes = hashes_of(leaves, n);
    if (merkle_root(hashes, n, &root, &err) != E_OK)
        abort(); /* fails for no leaves only */
    free(hashes);
    return root;
}

enum err_code score_proof(const struct score_leaf *leaves, size_t n, size_t index, struct arena *a,
                          struct merkle_proof *out, struct err *err)
{
    struct digest *hashes;
    struct digest mine;
    const struct digest *at;
    enum err_code rc;

    if (index >= n)
        return err_set(err, E_RANGE, "leaf %zu of %zu", index, n);
    hashes = hashes_of(leaves, n);
    mine = score_hash(&leaves[index]);
    at = bsearch(&mine, hashes, n, sizeof(*hashes), ascending);
    rc = merkle_proof(hashes, n, (size_t)(at - hashes), a, out, err);
    free(hashes);
    return rc;
}
