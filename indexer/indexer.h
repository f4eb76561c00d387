/* SPDX-License-Identifier: MIT */
#ifndef INDEXER_INDEXER_H
#define INDEXER_INDEXER_H

#include <stdint.h>

#include "core/id.h"
#include "db/conn.h"
#include "eth/finality.h"
#include "eth/rpc.h"
#include "indexer/figures.h"
#include "lib/arena.h"

/** The indexer: reads final blocks of one chain into the database. Holds no key. One thread. */
struct indexer {
    struct rpc *rpc;
    struct db_conn *db;
    struct arena *arena; /**< of one range; reset between */
    struct address vault;
    struct address settlement;
    struct finality finality;
    int64_t start_block;
    uint64_t range_max; /**< blocks asked for at once; halved when the node refuses */
    int unanswered;     /**< looks in a row at which no node told the sum of all deposits */
    bool watched;       /**< theft_watch() has looked since the books changed */
    struct figures figures;
};

/**
 * Book everything that became final since the last call.
 *
 * @booked  blocks booked by this call
 * @return  E_PEER, E_TIMEOUT (node), E_DB_DOWN, E_BUSY: try again; E_DIGEST_MISMATCH, E_NOT_FOUND:
 * the chain tells of a batch or account that the books do not know, or its deposits do not add up
 * to the Vault's own sum, which nobody may step over
 */
MUST_CHECK enum err_code indexer_step(struct indexer *ix, uint64_t *booked, struct err *err);

/**
 * Book the logs of blocks that are all final: registrations, then deposits, then settlements, then
 * claims. When a forced exit has begun, every open task is closed before it returns. Safe twice.
 *
 * @logs  in chain order, of our two contracts
 */
MUST_CHECK enum err_code indexer_book(struct indexer *ix, const struct rpc_log *logs, size_t n,
                                      struct err *err);

#endif
