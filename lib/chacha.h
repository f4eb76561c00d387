/* SPDX-License-Identifier: MIT */
#ifndef LIB_CHACHA_H
#define LIB_CHACHA_H

#include <stddef.h>
#include <stdint.h>

/**
 * The ChaCha20 key stream (RFC 8439) from block `counter`: bytes anyone can make again, in any
 * order, from 32 bytes.
 *
 * @key    32 bytes
 * @nonce  12 bytes
 * @out    `n` bytes; counter + n / 64 must stay below 2^32
 */
void chacha20_fill(const uint8_t key[32], const uint8_t nonce[12], uint32_t counter, void *out,
                   size_t n);

#endif
