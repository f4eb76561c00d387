/* SPDX-License-Identifier: MIT */
#ifndef ETH_LOGTREE_H
#define ETH_LOGTREE_H

#include "eth/merkle.h"

/*
 * The Merkle tree of RFC 6962, section 2.1: SHA-256, 0x00 before a leaf, 0x01 before two nodes, the
 * left subtree the largest power of two. A batch's logRoot is one over its acceptances.
 */

/** The hash of one entry: SHA-256(0x00 ‖ entry). */
struct digest logtree_leaf(struct bytes entry);

/** The tree's head. @n 0: SHA-256 of nothing, as the RFC says */
struct digest logtree_root(const struct digest *leaves, size_t n);

/**
 * The audit path of one leaf (RFC 6962, 2.1.1), leaf to root.
 *
 * @out     siblings in the arena
 * @return  E_RANGE when index ≥ n
 */
MUST_CHECK enum err_code logtree_proof(const struct digest *leaves, size_t n, size_t index,
                                       struct arena *a, struct merkle_proof *out, struct err *err);

/** One leaf's place in a tree of `size` leaves, and the way up from it. */
struct logtree_path {
    uint64_t index;
    uint64_t size;
    const struct digest *siblings;
    size_t n;
};

/** Whether the path leads from the leaf to the root (RFC 9162, 2.1.3.2); too short or too long a
 * path does not. */
bool logtree_verify(struct digest leaf, const struct logtree_path *path, struct digest root);

#endif
