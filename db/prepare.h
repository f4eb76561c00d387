/* SPDX-License-Identifier: MIT */
#ifndef DB_PREPARE_H
#define DB_PREPARE_H

#include "db/link.h"

/** Object ids of the built-in types, as fixed in PostgreSQL's catalog. */
unsigned sql_type_oid(enum sql_type type, bool array);

/**
 * Limit the fresh session and prepare all statements of the link's use, in one round trip.
 *
 * @return E_DB_DOWN; E_CONFIG with the statement and the column that do not fit
 */
MUST_CHECK enum err_code prepare_all(struct db_link *l, int64_t deadline_us, struct err *err);

#endif
