/* SPDX-License-Identifier: MIT */
#ifndef INDEXER_SCAN_H
#define INDEXER_SCAN_H

#include <stdint.h>

#include "db/conn.h"
#include "eth/rpc.h"
#include "eth/finality.h"
#include "indexer/figures.h"
#include "lib/arena.h"

/** Who books the logs of final blocks. Must be safe twice: a range is repeated after a crash. */
typedef enum err_code scan_book_fn(void *who, const struct rpc_log *logs, size_t n,
                                   struct err *err);

/** A range of final blocks as it is about to be booked. */
struct scan_range {
    uint64_t from;
    uint64_t to;
    const struct rpc_log *logs;
    size_t n;
};

/** Who looks at a range before it is booked; what is not E_OK keeps it from being booked. */
typedef enum err_code scan_check_fn(void *who, const struct scan_range *range, struct err *err);

/** A named cursor over the final blocks of one chain, and whose logs are read. */
struct scan {
    struct rpc *rpc;
    struct db_conn *db;
    struct arena *arena; /**< of one range; reset between */
    const struct finality *finality;
    int64_t start_block;             /**< of a cursor that does not exist yet */
    const struct address *contracts; /**< whose logs */
    size_t n_contracts;
    uint64_t *range_max;  /**< blocks asked for at once, 0 at first; halved when the node refuses */
    scan_check_fn *check; /**< NULL: none */
    scan_book_fn *book;
    void *who;               /**< handed to check and book */
    struct figures *figures; /**< kept up to date; its cursor is this one's */
};

/**
 * Book the next range of blocks that became final since the last call, then move the cursor.
 *
 * @booked  blocks booked by this call; 0: there was nothing new
 * @return  E_PEER, E_TIMEOUT (node), E_DB_DOWN, E_BUSY: try again; E_DIGEST_MISMATCH when the last
 * booked block is no longer the chain's; else what check() or book() answered
 */
MUST_CHECK enum err_code scan_step(const struct scan *s, uint64_t *booked, struct err *err);

#endif
