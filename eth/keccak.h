/* SPDX-License-Identifier: MIT */
#ifndef ETH_KECCAK_H
#define ETH_KECCAK_H

#include "lib/bytes.h"

#define KECCAK_RATE 136 /**< bytes absorbed per permutation, for 256 bits of output */

/** Keccak-256 over pieces; on the caller's stack. */
struct keccak {
    uint64_t state[25];
    uint8_t block[KECCAK_RATE];
    size_t n; /**< bytes waiting in block */
};

/** Begin; may be used again after keccak_end(). */
void keccak_begin(struct keccak *k);
void keccak_add(struct keccak *k, const void *p, size_t n);
struct digest keccak_end(struct keccak *k);

/** Keccak-256 as Ethereum uses it: padding byte 0x01, not SHA-3's 0x06. */
struct digest keccak256(const void *p, size_t n);

#endif
