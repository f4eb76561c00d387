/* SPDX-License-Identifier: MIT */
#ifndef RELAYER_FIGURES_H
#define RELAYER_FIGURES_H

#include "relayer/relayer.h"

/** What an operator watches. Money in wei, times in seconds. */
struct figures {
    struct wei unsettled;   /**< payable and in no batch */
    int64_t waiting;        /**< ledger entries in it */
    int64_t oldest_age_s;   /**< of the oldest of them; 0: none */
    int64_t open;           /**< batches on their way */
    int64_t parked;         /**< payouts that the contract refuses */
    int64_t next_nonce;     /**< the lane's end in our record */
    uint64_t mined_nonce;   /**< what the chain counts */
    struct wei balance;     /**< the sender's */
    struct wei day_cost;    /**< of the last day's final transactions */
    int64_t gas_per_payout; /**< over the same; 0: none */
    double runway_s;        /**< how long the balance lasts at that rate; -1: nothing was spent */
    int64_t life_age_s;     /**< since the newest batch was formed, or the contract was made */
    struct rpc_health nodes;
};

/** Ask database and node. Raises and clears the alarms about the silence and about full
 * counters. */
MUST_CHECK enum err_code figures_read(struct relayer *r, struct figures *out, struct err *err);

/** Append them and the alarms as Prometheus text. */
MUST_CHECK enum err_code figures_prometheus(const struct relayer *r, const struct figures *f,
                                            struct buf *out, struct err *err);

#endif
