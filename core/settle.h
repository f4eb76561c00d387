/* SPDX-License-Identifier: MIT */
#ifndef CORE_SETTLE_H
#define CORE_SETTLE_H

#include "core/money.h"
#include "eth/entries.h"

/** One counter of a batch: what an account has earned or spent in all, before and with the batch.
 */
struct settle_item {
    uint32_t id; /**< the chain's id of the account */
    bool spent;
    struct wei before; /**< cumulative wei at the last batch */
    struct wei now;    /**< cumulative wei with this batch */
};

/** What is sent to the chain. */
struct settle_batch {
    struct bytes entries; /**< in the arena; n × 10 bytes */
    size_t n;             /**< entries: counters whose whole units grew */
    uint64_t increase;    /**< growth of all earned counters, in units */
    struct digest root;
};

/**
 * Build a batch from cumulative figures. Units are floors of the cumulative wei, so dust is carried
 * and never lost; a counter whose units did not grow is left out.
 *
 * @items   any order, one per (id, spent)
 * @out     n is 0 when nothing grew: there is nothing to settle then
 * @return  E_RANGE when an id, an amount or the increase does not fit; E_INTERNAL when a counter
 *          falls or is named twice
 */
MUST_CHECK enum err_code settle_build(const struct settle_item *items, size_t n, struct arena *a,
                                      struct settle_batch *out, struct err *err);

/** Where an account's earned entry is. */
struct settle_place {
    size_t position; /**< among all entries */
    size_t chunk;
    uint8_t index; /**< in its chunk */
    struct entry entry;
};

/** @return E_PROOF_NOT_FOUND when the id has no such counter in these entries */
MUST_CHECK enum err_code settle_find(struct bytes entries, uint32_t id, bool spent,
                                     struct settle_place *out, struct err *err);

#endif
