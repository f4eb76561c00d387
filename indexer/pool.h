/* SPDX-License-Identifier: MIT */
#ifndef INDEXER_POOL_H
#define INDEXER_POOL_H

#include "indexer/indexer.h"
#include "indexer/scan.h"

/** Looks in a row without an answer after which a range is booked without it. */
#define POOL_TRIES 5

/**
 * Compare all deposits booked before a range and told by its logs with the Vault's own sum at the
 * range's last block, before anything of it is booked: a log invented or kept back shows there.
 * When no node can tell the sum of that block (its state is pruned), the range passes after
 * POOL_TRIES rounds; later ranges pass at once until a node answers again. What passed unseen still
 * counts in the next sum.
 *
 * @return  E_DIGEST_MISMATCH when they differ; E_PEER, E_TIMEOUT while no node tells the sum;
 * E_DB_DOWN
 */
MUST_CHECK enum err_code indexer_pool_check(struct indexer *ix, const struct scan_range *range,
                                            struct err *err);

#endif
