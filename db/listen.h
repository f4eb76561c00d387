/* SPDX-License-Identifier: MIT */
#ifndef DB_LISTEN_H
#define DB_LISTEN_H

#include <stdbool.h>

#include "lib/err.h"

/**
 * A connection of its own that listens to one NOTIFY channel, with a thread.
 *
 * A cache may be trusted while the link is fresh: whatever was committed more than a second ago has
 * then been told.
 */
struct db_listen;

/**
 * Called on the link's thread for each notification, and with payload NULL after every (re)connect:
 * notifications may have been missed, so drop everything. Must be short.
 */
typedef void db_listen_fn(void *ctx, const char *payload);

/**
 * Start listening; the thread connects and reconnects by itself.
 *
 * @url      libpq connection string, copied
 * @channel  lower-case identifier, e.g. "ogpu_key_revoked"; copied
 * @return   E_CONFIG for another form of channel, E_INTERNAL when no thread can be made
 */
MUST_CHECK enum err_code db_listen_open(const char *url, const char *channel, db_listen_fn *told,
                                        void *ctx, struct db_listen **out, struct err *err);

/** Whether the link answered within the last second. Any thread. */
bool db_listen_fresh(struct db_listen *l);

void db_listen_close(struct db_listen *l);

#endif
