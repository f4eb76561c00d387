/* SPDX-License-Identifier: MIT */
#ifndef DB_LANE_H
#define DB_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/arena.h"
#include "lib/err.h"
#include "sql.h" /* generated from db/sql: enum sql_id, struct sql_<name>, struct sql_<name>_row */

/**
 * One call of a named statement, filled by the caller and owned by it until `done` runs.
 *
 * Write statements share one pipelined transaction with up to LANE_BATCH_MAX others (BEGIN, locks,
 * work, COMMIT). After a lost COMMIT the lane runs the same calls again with the same ids, so ids
 * are made before the call.
 */
struct db_call {
    enum sql_id stmt;
    const void *in;      /**< struct sql_<name> of this statement; must live until done */
    uint64_t route;      /**< equal routes share a lane: hash of the account, or of the task */
    uint64_t conflict;   /**< calls with an equal nonzero conflict never share a batch */
    int64_t fair;        /**< account served round-robin when the queue is long; 0: the system */
    struct arena *arena; /**< rows are decoded into it, on the lane's thread, before done */
    void (*done)(struct db_call *call); /**< runs on the lane's thread; must be short */
    void *ctx;

    /* The outcome, valid in done and after. */
    struct err err;   /**< E_OK; E_DB_DOWN, E_BUSY (retry later); E_INTERNAL (our bug, logged) */
    const void *rows; /**< n_rows of struct sql_<name>_row, for write calls only this call's rows */
    size_t n_rows;

    /* The lane's own. */
    struct db_call *next;
    int64_t since_us; /**< when it was queued (monotonic) */
    int tries;        /**< reads repeated after a rollback */
    bool unknown;     /**< a COMMIT with this call was lost: the truth is worth a longer wait */
};

/** Connections with one thread each: hot write, point read and slow, each with its own queue and
 * timeouts. */
struct db_lanes;

struct db_lanes_config {
    const char *url; /**< libpq connection string */
    int write_lanes;
    int read_lanes;
    int slow_lanes;
    size_t queue_max; /**< calls waiting per lane before E_BUSY */
};

/**
 * Connect all lanes and prepare every statement; refuses a database whose statements do not fit
 * db/sql.
 *
 * @return E_DB_DOWN, E_CONFIG (schema differs, or synchronous_commit is off)
 */
MUST_CHECK enum err_code db_lanes_open(const struct db_lanes_config *config, struct db_lanes **out,
                                       struct err *err);

/** Finish what is queued, then close. Calls submitted meanwhile end with E_DRAINING. */
void db_lanes_close(struct db_lanes *lanes);

/** Queue a call; any thread. `done` always runs exactly once, also on failure (then possibly before
 * this returns). */
void db_submit(struct db_lanes *lanes, struct db_call *call);

/** Whether the last round trip of every class succeeded; for /readyz. */
bool db_lanes_healthy(struct db_lanes *lanes);

/** Counters of one class, for /metrics. */
struct db_lane_stats {
    uint64_t calls;
    uint64_t batches;
    uint64_t retries;
    uint64_t lost_commits;
    uint64_t isolated; /**< calls that raised: our bugs */
    uint64_t waiting;
};
void db_lanes_stats(struct db_lanes *lanes, enum sql_class class, struct db_lane_stats *out);

#define LANE_BATCH_MAX 256

#endif
