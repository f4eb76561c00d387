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
    struct wei day_cost;    /**< of the last day's final transactions */
    int64_t gas_per_payout; /**< over the same; 0: none */
    bool has_books;         /**< the database has told all of these once */
    uint64_t mined_nonce;   /**< what the chain counts */
    struct wei balance;     /**< the sender's */
    double runway_s;        /**< how long the balance lasts at that rate; -1: nothing was spent */
    bool has_chain;         /**< a node told these at the last look */
    int64_t life_at;        /**< when the newest claimable batch became that, or the contract was
                               made, Unix seconds; 0: not known yet */
    int64_t looked_at;      /**< when a round last went through, Unix seconds; 0: none has */
};

/** Ask the database. Raises and clears the alarms about full counters and about payouts larger than
 * any batch. */
MUST_CHECK enum err_code figures_books(struct relayer *r, struct figures *f, struct err *err);

/** Ask a node, once the books are known. */
MUST_CHECK enum err_code figures_chain(struct relayer *r, struct figures *f, struct err *err);

/** How long nothing became claimable; -1: not known yet. */
int64_t figures_life_age(const struct figures *f);

/** Raises and clears the alarm about the silence, by what is known: it rings with database and node
 * away, too. */
void figures_judge(struct relayer *r, const struct figures *f);

/** Append what is known of them, the nodes and the alarms as Prometheus text. */
MUST_CHECK enum err_code figures_prometheus(const struct relayer *r, const struct figures *f,
                                            struct buf *out, struct err *err);

#endif
