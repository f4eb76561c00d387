/* SPDX-License-Identifier: MIT */
#ifndef LIB_HASH_H
#define LIB_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/bytes.h"

/** SHA-256 of `n` bytes (FIPS 180-4). */
struct digest sha256(const void *p, size_t n);

/** SHA-256 over pieces, for streams. */
struct sha256_stream;
struct sha256_stream *sha256_begin(void);
void sha256_add(struct sha256_stream *h, const void *p, size_t n);
/** The digest; frees the stream. */
struct digest sha256_end(struct sha256_stream *h);

/** Fill with random bytes from the system; aborts when it cannot. */
void random_bytes(void *out, size_t n);

/** Equal without telling where they differ (RFC-style constant time). */
bool bytes_equal_ct(const void *a, const void *b, size_t n);

/** Overwrite a secret so that the compiler cannot leave it out. */
void wipe(void *p, size_t n);

/** 64-bit hash for tables and routing (FNV-1a); not for security. */
uint64_t hash64(const void *p, size_t n);

#endif
