/* SPDX-License-Identifier: MIT */
#ifndef VERIFY_CHAIN_H
#define VERIFY_CHAIN_H

#include "eth/rpc.h"

/** A node of the user's choice, and the contract that the user trusts. */
struct chain {
    struct rpc *rpc;
    struct address settlement;
    struct arena *arena; /**< of its answers */
};

/**
 * The root of a batch that stands.
 *
 * @time    when it was settled, Unix seconds
 * @return  E_DIGEST_MISMATCH when it was voided; E_NOT_FOUND when the node has none: never settled,
 *          or the node lags; E_PEER and so on when the node cannot be asked, as for all below
 */
MUST_CHECK enum err_code chain_root(const struct chain *c, uint64_t epoch, struct digest *root,
                                    uint64_t *time, struct err *err);

/**
 * Whether the contract would pay on a batch by now: its delay is over, and nobody can void it.
 *
 * @settled  chain_root()'s time
 * @return   E_BUSY while the guardian may still void it
 */
MUST_CHECK enum err_code chain_ripe(const struct chain *c, uint64_t epoch, uint64_t settled,
                                    struct err *err);

/** The first 20 bytes of an epoch's score root. @return E_BUSY while the batch may still be voided
 */
MUST_CHECK enum err_code chain_scores(const struct chain *c, uint64_t epoch, uint8_t out[20],
                                      struct err *err);

/**
 * The log root of an epoch, from the event of the transaction that settled it.
 *
 * @tx      as somebody claims: what counts is that its block has the contract's event of this epoch
 *          and that this very batch stands
 * @time    when it was settled, Unix seconds
 * @return  E_DIGEST_MISMATCH when it has not
 */
MUST_CHECK enum err_code chain_log_root(const struct chain *c, struct digest tx, uint64_t epoch,
                                        struct digest *out, uint64_t *time, struct err *err);

/** Units that an id has claimed. */
MUST_CHECK enum err_code chain_claimed(const struct chain *c, uint32_t id, uint64_t *out,
                                       struct err *err);

/** Whose id it is, as the contract's own vault says. */
MUST_CHECK enum err_code chain_owner(const struct chain *c, uint32_t id, struct address *out,
                                     struct err *err);

/** Have only nodes of this chain answer. @text decimal; NULL: any chain @return E_CONFIG when it
 * is no number or the node is of another */
MUST_CHECK enum err_code chain_meet(struct rpc *rpc, const char *text, struct err *err);

#endif
