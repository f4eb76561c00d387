/* SPDX-License-Identifier: MIT */
#ifndef LIB_HEX_H
#define LIB_HEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Write 2n lower-case hex digits and a NUL to `out` (2n + 1 bytes). */
void hex_encode(const uint8_t *p, size_t n, char *out);

/**
 * Read exactly 2n hex digits, any case; an optional 0x before them.
 *
 * @len     characters at `s`
 * @return  false on any other length or character; `out` is then untouched
 */
bool hex_decode(const char *s, size_t len, uint8_t *out, size_t n);

#endif
