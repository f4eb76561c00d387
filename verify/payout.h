/* SPDX-License-Identifier: MIT */
#ifndef VERIFY_PAYOUT_H
#define VERIFY_PAYOUT_H

#include "verify/document.h"

/** A payout proof as GET /v1/proofs/{address} serves it; only what the contract would look at. */
struct payout {
    struct address address;
    uint32_t id;
    uint64_t epoch;
    uint64_t units;
    struct bytes chunk; /**< 160 bytes */
    uint8_t index;
    struct siblings proof;
    struct digest root; /**< as the document claims */
};

/** Read a proof document. @return E_VALIDATION with the member that is wrong; memory in the arena
 */
MUST_CHECK enum err_code payout_read(const json_t *document, struct arena *a, struct payout *out,
                                     struct err *err);

/**
 * Check a proof against a root the caller trusts, as Settlement.claimPayout would: the entry at
 * `index` is the *earned* counter of `id` with these units, and its chunk leads to the root.
 *
 * @return E_DIGEST_MISMATCH with what differs
 */
MUST_CHECK enum err_code payout_check(const struct payout *p, const struct digest *root,
                                      struct err *err);

#endif
