/* SPDX-License-Identifier: MIT */
#ifndef DB_DECODE_H
#define DB_DECODE_H

#include <libpq-fe.h>
#include <stddef.h>
#include <stdint.h>

#include "db/desc.h"
#include "lib/arena.h"
#include "lib/err.h"

/**
 * One result row into a struct sql_<name>_row; texts and bytes are copied into the arena.
 *
 * @return E_INTERNAL naming the column: NULL where db/sql promises a value, or a bad length
 */
MUST_CHECK enum err_code decode_row(const struct sql_stmt *s, const PGresult *res, int row,
                                    struct arena *arena, void *out, struct err *err);

/** All rows of a result as an array in the arena; NULL and 0 when there are none. */
MUST_CHECK enum err_code decode_rows(const struct sql_stmt *s, const PGresult *res,
                                     struct arena *arena, const void **rows, size_t *n_rows,
                                     struct err *err);

/** The `call` column of a row, -1 when it is NULL. */
int32_t decode_call(const struct sql_stmt *s, const PGresult *res, int row);

#endif
