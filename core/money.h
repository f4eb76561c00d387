/* SPDX-License-Identifier: MIT */
#ifndef CORE_MONEY_H
#define CORE_MONEY_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/bytes.h"
#include "lib/err.h"

/** An amount in wei, 0 .. 2^256 - 1. A struct so that it cannot meet an integer or a double.
 * Little-endian limbs. */
struct wei {
    uint64_t limb[4];
};

/** Decimal digits of 2^256 - 1, plus a NUL. */
#define WEI_TEXT_MAX 79

/** One chain unit: 1e12 wei (1e-6 OGPU). */
#define WEI_PER_UNIT 1000000000000ULL

/** Read `^(0|[1-9][0-9]{0,77})$` up to 2^256 - 1. @return false otherwise; `out` untouched. */
bool wei_parse(struct text s, struct wei *out);

/** Decimal text and a NUL into `out` (WEI_TEXT_MAX bytes). */
void wei_format(struct wei w, char *out);

struct wei wei_from_u64(uint64_t n);
bool wei_is_zero(struct wei w);
/** -1, 0, 1 as a < b, a = b, a > b. */
int wei_cmp(struct wei a, struct wei b);
/** @return E_RANGE beyond 2^256 - 1 */
MUST_CHECK enum err_code wei_add(struct wei a, struct wei b, struct wei *out, struct err *err);
/**
 * The fee on an amount, rounded down.
 *
 * @bps  basis points, 0..10000
 * @return E_RANGE for more than 10000
 */
MUST_CHECK enum err_code wei_fee(struct wei amount, uint32_t bps, struct wei *out, struct err *err);
/** Whole units in w, rounded down. @return E_RANGE beyond 2^48 - 1. */
MUST_CHECK enum err_code wei_to_units(struct wei w, uint64_t *out, struct err *err);
struct wei wei_from_units(uint64_t units);
/** 32 bytes big endian, as the chain carries it. */
void wei_to_be(struct wei w, uint8_t out[32]);
struct wei wei_from_be(const uint8_t in[32]);

#endif
