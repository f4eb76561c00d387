/* SPDX-License-Identifier: MIT */
#ifndef SERVER_ESCAPE_H
#define SERVER_ESCAPE_H

#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/err.h"
#include "lib/fields.h"

/** Most parameters in a query. */
#define QUERY_PAIRS_MAX 32

/**
 * Percent-decode.
 *
 * @raw   checked by guard_target(), so every escape is well formed
 * @plus  whether `+` means a blank (queries)
 * @out   `raw` itself when nothing was escaped, else a copy in the arena
 * @return false when the result is not UTF-8; `out` untouched
 */
bool escape_decode(struct text raw, bool plus, struct arena *arena, struct text *out);

/**
 * Split a query into its parameters, percent-decoded, in order, duplicates kept.
 *
 * @query  without `?`; may be empty
 * @pairs  QUERY_PAIRS_MAX entries
 * @return E_BAD_REQUEST: too many, or not UTF-8
 */
MUST_CHECK enum err_code escape_query(struct text query, struct arena *arena,
                                      struct field_pair *pairs, size_t *n, struct err *err);

#endif
