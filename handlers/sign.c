/* SPDX-License-Identifier: MIT */
#include "handlers/sign.h"

#include "eth/secp.h"

struct eip712_domain sign_domain(const struct app *app)
{
    return (struct eip712_domain){.chain_id = app->chain_id, .contract = app->settlement};
}

void sign_verify(struct op *op, const struct sign_check *checks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct err err;

        if (secp_check(checks[i].digest, checks[i].signature, checks[i].signer, &err) != E_OK) {
            (void)err_set(&op->err, E_BAD_SIGNATURE, "The signature is not the %s's over this.",
                          checks[i].whose);
            return;
        }
    }
}
