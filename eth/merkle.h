/* SPDX-License-Identifier: MIT */
#ifndef ETH_MERKLE_H
#define ETH_MERKLE_H

#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/err.h"

/*
 * OpenZeppelin's SimpleMerkleTree with sortLeaves:false: a complete binary tree in an array,
 * tree[2n - 2 - i] = leaf i, each node the Keccak-256 of its children in ascending order.
 */

/** @return E_RANGE for no leaves */
MUST_CHECK enum err_code merkle_root(const struct digest *leaves, size_t n, struct digest *out,
                                     struct err *err);

/** The siblings of one leaf, leaf to root. */
struct merkle_proof {
    struct digest *siblings;
    size_t n;
};

/**
 * Prove one leaf.
 *
 * @out     siblings in the arena
 * @return  E_RANGE when index ≥ n
 */
MUST_CHECK enum err_code merkle_proof(const struct digest *leaves, size_t n, size_t index,
                                      struct arena *a, struct merkle_proof *out, struct err *err);

/** Where the proof leads from the leaf. */
struct digest merkle_climb(struct digest leaf, const struct digest *proof, size_t proof_n);

/** Whether the proof leads from the leaf to the root. */
bool merkle_verify(struct digest leaf, const struct digest *proof, size_t proof_n,
                   struct digest root);

#endif
