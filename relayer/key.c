/* SPDX-License-Identifier: MIT */
#include "relayer/key.h"

#include <stdlib.h>

#include "eth/sign.h"

struct key {
    struct signer *local;
};

enum err_code key_open_file(const char *path, const char *password_file, struct key **out,
                            struct err *err)
{
    struct signer *local = NULL;
    enum err_code rc = signer_load(path, &local, err);

    (void)password_file;
    if (rc != E_OK)
        return rc;
    *out = calloc(1, sizeof(**out));
    if (!*out)
        abort();
    (*out)->local = local;
    return E_OK;
}

void key_free(struct key *k)
{
    if (!k)
        return;
    signer_free(k->local);
    free(k);
}

struct address key_address(const struct key *k)
{
    return signer_address(k->local);
}

enum err_code key_sign_tx(struct key *k, const struct tx *tx, struct signature *out,
                          struct err *err)
{
    struct digest digest = {{0}};
    enum err_code rc = tx_sign_digest(tx, &digest, err);

    if (rc == E_OK)
        *out = signer_sign(k->local, digest);
    return rc;
}
