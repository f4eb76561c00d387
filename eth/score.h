/* SPDX-License-Identifier: MIT */
#ifndef ETH_SCORE_H
#define ETH_SCORE_H

#include "eth/merkle.h"

/*
 * What Scores.sol verifies: one leaf a provider and epoch, the double Keccak-256 of its ABI
 * encoding, in OpenZeppelin's StandardMerkleTree (leaves in ascending order of their hashes).
 */

/** Struct Score of the contract. */
struct score_leaf {
    struct address provider;
    uint64_t accepted;
    uint64_t rejected;
    uint64_t expired;
    uint32_t score;
    uint64_t epoch;
    struct digest events_root; /**< RFC 6962, over this provider's events of the epoch */
};

/** keccak256(keccak256(abi.encode(leaf))). */
struct digest score_hash(const struct score_leaf *leaf);

/** The epoch's score root; all zero for no leaves, which the contract takes as "no scores". */
struct digest score_root(const struct score_leaf *leaves, size_t n);

/**
 * Prove one leaf.
 *
 * @out     siblings in the arena
 * @return  E_RANGE when index ≥ n
 */
MUST_CHECK enum err_code score_proof(const struct score_leaf *leaves, size_t n, size_t index,
                                     struct arena *a, struct merkle_proof *out, struct err *err);

#endif
