/* SPDX-License-Identifier: MIT */
#include "relayer/key.h"

#include <ctype.h>
#include <stdlib.h>

#include "lib/hash.h"
#include "lib/secret.h"
#include "relayer/keystore.h"
#include "relayer/wire.h"

#define FILE_MAX     16384
#define PASSWORD_MAX 1024

struct key {
    struct signer *local; /* NULL: remote */
    char *socket;
    struct address address;
};

static struct key *make(void)
{
    struct key *k = calloc(1, sizeof(*k));

    if (!k)
        abort();
    return k;
}

static enum err_code open_store(struct bytes json, const char *password_file, struct signer **out,
                                struct err *err)
{
    char password[PASSWORD_MAX];
    size_t n = 0;
    enum err_code rc;

    if (password_file[0] == '\0')
        return err_set(err, E_CONFIG,
                       "the key file is a keystore: OGPU_*_PASSWORD_FILE must name the file "
                       "with its password");
    rc = secret_read(password_file, password, sizeof(password), &n, err);
    if (rc != E_OK)
        return rc;
    if (n > 0 && password[n - 1] == '\n')
        n--;
    rc = keystore_open(json, bytes_of(password, n), out, err);
    wipe(password, sizeof(password));
    return rc;
}

enum err_code key_load(const char *path, const char *password_file, struct signer **out,
                       struct err *err)
{
    char text[FILE_MAX];
    size_t n = 0;
    size_t at = 0;
    enum err_code rc = secret_read(path, text, sizeof(text), &n, err);

    if (rc != E_OK)
        return rc;
    while (at < n && isspace((unsigned char)text[at]))
        at++;
    if (at < n && n > 67 && text[at] == '{')
        rc = open_store(bytes_of(text, n), password_file, out, err);
    else
        rc = signer_load(path, out, err);
    wipe(text, sizeof(text));
    return rc;
}

enum err_code key_open_file(const char *path, const char *password_file, struct key **out,
                            struct err *err)
{
    struct signer *local = NULL;
    enum err_code rc = key_load(path, password_file, &local, err);

    if (rc != E_OK)
        return rc;
    *out = make();
    (*out)->local = local;
    (*out)->address = signer_address(local);
    return E_OK;
}

enum err_code key_open_socket(const char *path, struct key **out, struct err *err)
{
    struct address address;
    enum err_code rc = wire_ask_address(path, &address, err);

    if (rc != E_OK)
        return rc;
    *out = make();
    (*out)->socket = strdup(path);
    (*out)->address = address;
    if (!(*out)->socket)
        abort();
    return E_OK;
}

void key_free(struct key *k)
{
    if (!k)
        return;
    signer_free(k->local);
    free(k->socket);
    free(k);
}

struct address key_address(const struct key *k)
{
    return k->address;
}

/* What the signer behind the socket gave must be the key's signature of this. */
static enum err_code check(const struct key *k, struct digest digest, const struct signature *sig,
                           struct err *err)
{
    if (secp_check(digest, bytes_of(sig->b, sizeof(sig->b)), k->address, NULL) == E_OK)
        return E_OK;
    return err_set(err, E_PEER, "the signer signed something else, or with another key");
}

enum err_code key_sign_tx(struct key *k, const struct tx *tx, struct signature *out,
                          struct err *err)
{
    struct digest digest = {{0}};
    struct signature sig;
    enum err_code rc = tx_sign_digest(tx, &digest, err);

    if (rc != E_OK)
        return rc;
    if (k->local) {
        *out = signer_sign(k->local, digest);
        return E_OK;
    }
    rc = wire_ask_signature(k->socket, tx, &sig, err);
    if (rc == E_OK)
        rc = check(k, digest, &sig, err);
    if (rc == E_OK)
        *out = sig;
    return rc;
}

enum err_code key_sign_voucher(struct key *k, const struct eip712_domain *domain,
                               const struct eip712_voucher *voucher, struct signature *out,
                               struct err *err)
{
    struct digest digest = eip712_voucher_digest(domain, voucher);
    struct signature sig;
    enum err_code rc;

    if (k->local) {
        *out = signer_sign(k->local, digest);
        return E_OK;
    }
    rc = wire_ask_voucher(k->socket, domain, voucher, &sig, err);
    if (rc == E_OK)
        rc = check(k, digest, &sig, err);
    if (rc == E_OK)
        *out = sig;
    return rc;
}
