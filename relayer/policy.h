/* SPDX-License-Identifier: MIT */
#ifndef RELAYER_POLICY_H
#define RELAYER_POLICY_H

#include "core/money.h"
#include "eth/eip712.h"
#include "eth/tx.h"

#define POLICY_ALLOW_MAX 8
#define POLICY_RATE_MAX  10000

/** What a signer signs. */
struct policy {
    uint64_t chain_id;
    struct address allow[POLICY_ALLOW_MAX]; /**< destinations */
    size_t n_allow;
    bool create;                        /**< deployments are allowed */
    bool voucher;                       /**< so are vouchers of the contracts listed */
    struct wei value_max;               /**< coins one transaction may carry */
    struct wei cost_max;                /**< gas × fee one transaction may cost; zero: no limit */
    uint32_t rate;                      /**< signatures an hour, up to POLICY_RATE_MAX */
    int64_t signed_at[POLICY_RATE_MAX]; /**< monotonic µs, a ring */
    uint64_t n_signed;
};

/** Addresses behind commas; the words "create" and "voucher" among them allow deployments, and
 * vouchers of the contracts listed. @return E_CONFIG */
MUST_CHECK enum err_code policy_allow(struct policy *p, const char *list, struct err *err);

/**
 * Whether it may be signed now; if so it is counted.
 *
 * @now  monotonic µs
 * @return E_SCOPE_DENIED with the reason
 */
MUST_CHECK enum err_code policy_admit(struct policy *p, const struct tx *tx, int64_t now,
                                      struct err *err);

/**
 * The same for a voucher.
 *
 * @domain  the chain and contract that it names
 */
MUST_CHECK enum err_code policy_admit_voucher(struct policy *p, const struct eip712_domain *domain,
                                              int64_t now, struct err *err);

#endif
