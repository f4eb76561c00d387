/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_KEEPER_H
#define KEEPER_KEEPER_H

#include "lib/bytes.h"
#include "lib/err.h"
#include "server/app.h"

/*
 * Background jobs of a gateway: what falls due by the clock, what another process left undone, and
 * the checks of responses. Each job is safe twice and may run in several gateways at once; a lock
 * only saves work.
 */
struct keeper;

/**
 * Start the keeper's thread with a connection of its own; sets app->keeper and app->check.
 *
 * @app    database_url, lanes, queue, pool and blobs are ready; outlives the keeper
 * @return E_IO when no thread can be made. A database that is away is waited for.
 */
MUST_CHECK enum err_code keeper_start(struct app *app, struct keeper **out, struct err *err);

/** End the thread, wait for running checks, free. Lanes, pool and queue must still run. NULL
 * allowed. */
void keeper_stop(struct keeper *k);

/** What the keeper has done since start, for /metrics. Any thread. */
struct keeper_stats {
    uint64_t expired;
    uint64_t exited;
    uint64_t lapsed;
    uint64_t adopted;
    uint64_t passed;
    uint64_t rejected;
    uint64_t resyncs;
    uint64_t failures; /**< jobs that ended with an error */
    uint64_t checking; /**< checks in flight now */
};
void keeper_stats(const struct keeper *k, struct keeper_stats *out);

#endif
