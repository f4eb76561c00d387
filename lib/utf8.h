/* SPDX-License-Identifier: MIT */
#ifndef LIB_UTF8_H
#define LIB_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Bytes of the UTF-8 character at `s` (RFC 3629: no overlong forms, no surrogates, at most
 * U+10FFFF).
 *
 * @n       bytes there, at least 1
 * @return  1..4, or 0 when no valid character starts here
 */
size_t utf8_step(const char *s, size_t n);

/** Whether all `n` bytes are valid UTF-8. */
bool utf8_valid(const char *s, size_t n);

/** Code point of a character that utf8_step() gave `step` bytes for. */
uint32_t utf8_point(const char *s, size_t step);

/**
 * Whether this is valid UTF-8 that can stand as a name on one line and reads as it is: no control
 * characters (U+0000..1F, U+7F..9F), no line or paragraph separator (U+2028, 2029), and none that
 * turn the direction of what follows (U+202A..202E, U+2066..2069; Unicode TR 36).
 */
bool utf8_line(const char *s, size_t n);

/** utf8_line() in words, to follow "must be". */
#define UTF8_LINE_WHAT "one line without control characters or bidirectional overrides"

#endif
