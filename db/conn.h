/* SPDX-License-Identifier: MIT */
#ifndef DB_CONN_H
#define DB_CONN_H

#include <stddef.h>
#include <stdint.h>

#include "lib/arena.h"
#include "lib/err.h"
#include "sql.h"

/** One blocking connection, for one thread: keeper, indexer, relayer, operator commands. */
struct db_conn;

/** Connect and prepare every statement. @return E_DB_DOWN, E_CONFIG. */
MUST_CHECK enum err_code db_conn_open(const char *url, struct db_conn **out, struct err *err);
void db_conn_close(struct db_conn *conn);

/**
 * Run one statement with `n_in` calls (an array of struct sql_<name>; reads take exactly one), in a
 * transaction of its own for writes.
 *
 * Reconnects when the link is down; after a lost COMMIT runs the same calls again.
 *
 * @rows    array of struct sql_<name>_row in the arena
 * @return  E_DB_DOWN, E_BUSY, E_INTERNAL
 */
MUST_CHECK enum err_code db_run(struct db_conn *conn, enum sql_id stmt, const void *in, size_t n_in,
                                struct arena *arena, const void **rows, size_t *n_rows,
                                struct err *err);

/** Session advisory lock (one leader per key over all processes). @return false when another holds
 * it or the link is down. */
bool db_try_lock(struct db_conn *conn, int64_t key);

/** Whether the session that took the lock is still the same one. */
bool db_lock_held(struct db_conn *conn, int64_t key);

#endif
