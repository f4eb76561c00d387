/* SPDX-License-Identifier: MIT */
#ifndef VERIFY_GROWTH_H
#define VERIFY_GROWTH_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/bytes.h"
#include "lib/err.h"

/** What batches list, counted again: the highest figure of each id and counter so far. Start with
 * zeros; growth_done() frees it. */
struct growth {
    uint64_t *best[2]; /**< by id; [0] earned, [1] spent; units */
    size_t n;          /**< ids that best has room for */
    uint64_t sum[2];   /**< of all best */
};

/**
 * Add a batch that stands.
 *
 * @entries  its calldata entries, n × 10 bytes
 * @by       out: units by which the sums of the earned and of the spent counters grew
 * @return   E_RANGE for entries that the contract would not have taken, or sums beyond 64 bits
 */
MUST_CHECK enum err_code growth_add(struct growth *g, struct bytes entries, uint64_t by[2],
                                    struct err *err);

void growth_done(struct growth *g);

#endif
