/* SPDX-License-Identifier: MIT */
#ifndef INDEXER_FIGURES_H
#define INDEXER_FIGURES_H

#include <stdint.h>

#include "eth/rpc.h"
#include "lib/buf.h"
#include "lib/err.h"

/** How far the chain is booked, and what an operator should look at. Of one cursor and one thread.
 */
struct figures {
    const char *cursor; /**< chain_cursor.name */
    uint64_t final;     /**< the newest final block we heard of */
    uint64_t booked;    /**< the newest that is in the books */
    uint64_t logs;      /**< booked since the start */
    uint64_t outvoted;  /**< ranges at which a node told otherwise than most, or of final blocks */
    uint64_t unchecked; /**< ranges booked though no node told the sum of all deposits */
    uint64_t foreign;   /**< batches on chain that are not ours, neither voided nor accepted */
    uint64_t forged;    /**< vouchers on chain, not voided, for more than was earned */
    uint64_t failed;    /**< looks at the chain that failed */
    bool halted;        /**< the last one found what nobody may step over */
    int64_t looked;     /**< Unix seconds of the last one that did not fail; 0: none yet */
};

/** As Prometheus text, behind what `out` holds. */
MUST_CHECK enum err_code figures_prometheus(const struct figures *f, const struct rpc_health *nodes,
                                            struct buf *out, struct err *err);

#endif
