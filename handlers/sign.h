/* SPDX-License-Identifier: MIT */
#ifndef HANDLERS_SIGN_H
#define HANDLERS_SIGN_H

#include "eth/eip712.h"
#include "server/app.h"
#include "server/op.h"

/** The EIP-712 domain of this deployment. */
struct eip712_domain sign_domain(const struct app *app);

/** A digest and who must have signed it; for pool work. */
struct sign_check {
    struct digest digest;
    struct bytes signature;
    struct address signer;
    const char *whose; /**< "provider" or "master", for the problem */
};

/** Check on the pool; sets op->err to E_BAD_SIGNATURE when one of `n` does not verify. */
void sign_verify(struct op *op, const struct sign_check *checks, size_t n);

#endif
