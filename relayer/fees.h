/* SPDX-License-Identifier: MIT */
#ifndef RELAYER_FEES_H
#define RELAYER_FEES_H

#include "core/money.h"
#include "lib/err.h"

#include <stdbool.h>
#include <stdint.h>

/** Wei per gas of one transaction; on a legacy chain `max_fee` is the gas price and `tip` 0. */
struct fees {
    uint64_t max_fee;
    uint64_t tip;
};

/** What the operator will pay at most. */
struct fee_cap {
    uint64_t max_fee;
    uint64_t tip;
};

/** How often the tip of a first offer can be raised before it meets its cap. */
#define FEES_STEPS 8

/**
 * First offer: twice the next base fee plus the tip, within the cap. The tip stays low enough for
 * FEES_STEPS replacements, since each must raise both figures: a tip at its cap would hold down
 * `max_fee` as well.
 */
struct fees fees_first(uint64_t base_fee, uint64_t tip, const struct fee_cap *cap);

/**
 * The next offer for the same nonce: at least one eighth (12.5 %) above the last in both figures,
 * since nodes refuse less, and at least what a first offer would be now.
 *
 * @return E_RANGE when the cap leaves no room: then the old transaction stays
 */
MUST_CHECK enum err_code fees_bump(const struct fees *last, const struct fees *now,
                                   const struct fee_cap *cap, struct fees *out, struct err *err);

/** What `gas` can cost at most. @return E_RANGE never for 64-bit figures */
MUST_CHECK enum err_code fees_cost(const struct fees *fees, uint64_t gas, struct wei *out,
                                   struct err *err);

#endif
