/* SPDX-License-Identifier: MIT */
#ifndef VERIFY_HISTORY_H
#define VERIFY_HISTORY_H

#include "eth/rpc.h"

/** A batch as its Settled event tells it. */
struct said {
    uint64_t epoch;
    uint64_t increase; /**< units */
    struct digest root;
    struct digest tx; /**< whose calldata lists it */
};

/** All batches that the contract's logs tell of, gathered in one pass. history_done() frees it. */
struct history {
    struct digest settled; /**< the topics looked for */
    struct digest voided;
    struct said *batches; /**< in chain order */
    size_t n;
    size_t room;
    uint64_t *voids; /**< epochs; in order after history_sort() */
    size_t n_voids;
    size_t room_voids;
};

/** An empty one. */
struct history history_new(void);

/**
 * Take in logs of the contract; those of other events are passed over. Nothing points into @logs
 * afterwards.
 *
 * @return  E_PEER for an event that is malformed or whose numbers do not fit 64 bits
 */
MUST_CHECK enum err_code history_add(struct history *h, const struct rpc_log *logs, size_t n,
                                     struct err *err);

/** Once, after the last log and before history_is_voided(). */
void history_sort(struct history *h);

/** Whether a batch of this epoch was voided, whenever that was. */
bool history_is_voided(const struct history *h, uint64_t epoch);

void history_done(struct history *h);

#endif
