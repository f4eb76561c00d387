/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_CONTAIN_JSON_SHAPE_H
#define WORKERS_CONTAIN_JSON_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

/** Objects and lists within each other; jansson, with which it is read later, takes a few more. */
#define JSON_SHAPE_DEPTH_MAX 2000
/** Characters of one number; what a double can tell apart ends at 767 digits. */
#define JSON_SHAPE_NUMBER_MAX 1023

/**
 * Whether a text is one JSON object and nothing else (RFC 8259), without building it: a text of
 * megabytes may be gigabytes of values. It takes no memory but its own frame.
 *
 * What passes is also an object to jansson's json_loadb() with flags 0: valid UTF-8, no NUL in
 * strings, surrogates in pairs, integers within 64 bits, reals within a double.
 *
 * @s  `n` bytes, with or without a NUL behind them
 */
bool json_shape_is_object(const char *s, size_t n);

/**
 * The same, of at most so many values: itself, and each member and element at any depth. For what
 * is built afterwards, when some hundred bytes a value may be more than there is room for.
 */
bool json_shape_is_small_object(const char *s, size_t n, size_t values_max);

#endif
