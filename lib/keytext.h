/* SPDX-License-Identifier: MIT */
#ifndef LIB_KEYTEXT_H
#define LIB_KEYTEXT_H

#include <stdbool.h>

#include "lib/bytes.h"

/*
 * The text of a secret token: prefix, 32 base62 characters (190 bits), 6 base62 characters of their
 * CRC-32. The checksum finds a mistyped or cut key without a look-up, and lets scanners tell a
 * leaked key from noise.
 */
#define KEYTEXT_RANDOM 32
#define KEYTEXT_CHECK  6
#define KEYTEXT_MAX    64 /**< any text of ours and its NUL; prefixes are at most 25 characters */

#define KEYTEXT_API      "ogpu_sk_live_"
#define KEYTEXT_PROVIDER "ogpu_pt_"

/** CRC-32 (ISO 3309, as zlib's crc32) of `n` bytes. */
uint32_t crc32_of(const void *p, size_t n);

/**
 * A new token from the system's randomness.
 *
 * @prefix  at most 25 characters
 * @out     KEYTEXT_MAX bytes; the text and a NUL; the caller wipes it
 */
void keytext_make(const char *prefix, char *out);

/** Whether this is a token with this prefix and a right checksum: says nothing of whether we made
 * it. */
bool keytext_check(const char *prefix, struct text token);

#endif
