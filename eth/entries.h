/* SPDX-License-Identifier: MIT */
#ifndef ETH_ENTRIES_H
#define ETH_ENTRIES_H

#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/bytes.h"
#include "lib/err.h"

/*
 * The calldata of a settlement (contracts/Entries.sol): 10-byte entries, 16 to a chunk, the last
 * chunk filled up with zeros, keccak256(chunk) a leaf.
 */
#define ENTRY_SIZE      10
#define ENTRIES_A_CHUNK 16
#define CHUNK_SIZE      160
#define ENTRY_ID_MAX    0x7fffffffU
#define ENTRY_UNITS_MAX 0xffffffffffffULL

/** One cumulative counter of one account. */
struct entry {
    uint32_t id; /**< the chain's id of the account, 1..ENTRY_ID_MAX; 0 with 0 units is padding */
    bool spent;  /**< which counter: false earned, true spent (the id's top bit) */
    uint64_t units; /**< up to ENTRY_UNITS_MAX */
};

/** Append one entry. @return E_RANGE for an id or amount that does not fit, or id 0. */
MUST_CHECK enum err_code entry_encode(struct entry e, struct buf *out, struct err *err);

/** The entry at `p` (10 bytes). */
struct entry entry_decode(const uint8_t *p);

/** Where an entry stands among the entries of a batch. */
struct entry_place {
    size_t position;
    size_t chunk;
    uint8_t index; /**< in its chunk */
    struct entry entry;
};

/**
 * Find an account's counter in a batch's entries.
 *
 * @return E_PROOF_NOT_FOUND when the id has no such counter here
 */
MUST_CHECK enum err_code entries_find(struct bytes entries, uint32_t id, bool spent,
                                      struct entry_place *out, struct err *err);

/** Chunks that `len` bytes of entries fill. */
size_t entries_chunks(size_t len);

/** Chunk `i` of the entries, padded. */
void entries_chunk(struct bytes entries, size_t i, uint8_t out[CHUNK_SIZE]);

/** The leaves, in the arena. @return E_RANGE when empty or no multiple of 10 bytes. */
MUST_CHECK enum err_code entries_leaves(struct bytes entries, struct arena *a,
                                        struct digest **leaves, size_t *n, struct err *err);

/** The batch's root, as Settlement derives it. @return E_RANGE as above. */
MUST_CHECK enum err_code entries_root(struct bytes entries, struct digest *out, struct err *err);

#endif
