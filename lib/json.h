/* SPDX-License-Identifier: MIT */
#ifndef LIB_JSON_H
#define LIB_JSON_H

#include <jansson.h>

#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/err.h"

#define JSON_DEPTH_MAX 16

/**
 * Parse untrusted JSON: duplicates refused, no NUL in strings, depth at most JSON_DEPTH_MAX,
 * trailing bytes refused.
 *
 * One rule for integers, of JSON Schema and RFC 8785: a number is the IEEE double that its text
 * reads as, and it is an integer when that double is one, however it is spelled. 2.0, 2e0 and
 * 2.0000000000000001 (whose double is 2) are the integer 2, and canonical JSON writes them so.
 * Beyond 2^53, where a double no longer tells which, only digits alone are an integer.
 *
 * @out     a new reference
 * @return  E_BAD_JSON with line and column
 */
MUST_CHECK enum err_code json_parse(const char *s, size_t n, json_t **out, struct err *err);

/** The same rule for a value that jansson read by itself; takes it, gives it or another back. NULL
 * for NULL. */
json_t *json_with_integers(json_t *v_stolen);

/**
 * RFC 8785 (JCS) canonical form: members sorted by UTF-16 code units, shortest numbers, minimal
 * escapes.
 *
 * @return  text in the arena; E_RANGE for a number that JSON cannot carry exactly (beyond 2^53)
 */
MUST_CHECK enum err_code json_canonical(const json_t *v, struct arena *a, struct text *out,
                                        struct err *err);

/** Compact text of a value in the arena. */
struct text json_text(const json_t *v, struct arena *a);

#endif
