/* SPDX-License-Identifier: MIT */
#include "eth/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <secp256k1.h>
#include <secp256k1_recovery.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/hash.h"
#include "lib/hex.h"
#include "lib/secret.h"

#define KEY_SIZE      32
#define KEY_TEXT_SIZE 67 /* 0x, 64 digits, newline */

struct signer {
    secp256k1_context *context;
    struct address address;
    uint8_t key[KEY_SIZE];
};

void signer_free(struct signer *s)
{
    if (!s)
        return;
    secp256k1_context_destroy(s->context);
    wipe(s->key, sizeof(s->key));
    munlock(s, sizeof(*s));
    free(s);
}

/* Blinding makes the time of signing independent of the key. */
static secp256k1_context *blinded_context(void)
{
    secp256k1_context *c = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    uint8_t seed[32];

    random_bytes(seed, sizeof(seed));
    if (!c || !secp256k1_context_randomize(c, seed))
        abort();
    wipe(seed, sizeof(seed));
    return c;
}

enum err_code signer_from_bytes(const uint8_t key[32], struct signer **out, struct err *err)
{
    struct signer *s = calloc(1, sizeof(*s));
    secp256k1_pubkey pub;
    uint8_t raw[65];
    size_t n = sizeof(raw);

    if (!s)
        abort();
    (void)mlock(s, sizeof(*s)); /* best effort: the limit may be 0 */
    s->context = blinded_context();
    memcpy(s->key, key, KEY_SIZE);
    if (!secp256k1_ec_pubkey_create(s->context, &pub, s->key)) {
        signer_free(s);
        return err_set(err, E_CONFIG, "the key is zero or beyond the curve's order");
    }
    secp256k1_ec_pubkey_serialize(s->context, raw, &n, &pub, SECP256K1_EC_UNCOMPRESSED);
    s->address = secp_address(raw + 1);
    *out = s;
    return E_OK;
}

/* The 32 bytes in what a key file holds. */
static bool key_of_text(const char *text, size_t n, uint8_t key[KEY_SIZE])
{
    if (n == KEY_SIZE) {
        memcpy(key, text, KEY_SIZE);
        return true;
    }
    if (n > 0 && text[n - 1] == '\n')
        n--;
    return hex_decode(text, n, key, KEY_SIZE);
}

enum err_code signer_load(const char *path, struct signer **out, struct err *err)
{
    char text[KEY_TEXT_SIZE];
    uint8_t key[KEY_SIZE];
    size_t n = 0;
    enum err_code rc = secret_read(path, text, sizeof(text), &n, err);

    if (rc != E_OK)
        return rc;
    if (n < KEY_SIZE || !key_of_text(text, n, key))
        rc = err_set(err, E_CONFIG, "'%s' must hold 32 bytes or 64 hex digits", path);
    else
        rc = signer_from_bytes(key, out, err);
    wipe(key, sizeof(key));
    wipe(text, sizeof(text));
    return rc;
}

static enum err_code write_key(const char *path, const uint8_t key[KEY_SIZE], struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    char text[2 * KEY_SIZE + 1];
    bool ok;

    if (fd < 0)
        return err_set(err, E_CONFIG, "'%s' cannot be made: errno %d", path, errno);
    hex_encode(key, KEY_SIZE, text);
    text[2 * KEY_SIZE] = '\n';
    ok = write(fd, text, sizeof(text)) == (ssize_t)sizeof(text) && fsync(fd) == 0;
    wipe(text, sizeof(text));
    if (close(fd) != 0 || !ok) {
        unlink(path);
        return err_set(err, E_CONFIG, "'%s' cannot be written: errno %d", path, errno);
    }
    return E_OK;
}

enum err_code signer_create(const char *path, struct signer **out, struct err *err)
{
    struct signer *s = NULL;
    uint8_t key[KEY_SIZE];
    enum err_code rc;

    do /* one in 2^128 draws is no key */
        random_bytes(key, sizeof(key));
    while (signer_from_bytes(key, &s, NULL) != E_OK);
    rc = write_key(path, key, err);
    wipe(key, sizeof(key));
    if (rc != E_OK) {
        signer_free(s);
        return rc;
    }
    *out = s;
    return E_OK;
}

struct address signer_address(const struct signer *s)
{
    return s->address;
}

struct signature signer_sign(const struct signer *s, struct digest digest)
{
    secp256k1_ecdsa_recoverable_signature sig;
    struct signature out;
    int recid;

    /* NULL: RFC 6979 nonces; libsecp256k1 always gives the low s. */
    if (!secp256k1_ecdsa_sign_recoverable(s->context, &sig, digest.b, s->key, NULL, NULL))
        abort();
    secp256k1_ecdsa_recoverable_signature_serialize_compact(s->context, out.b, &recid, &sig);
    out.b[64] = (uint8_t)(27 + recid);
    return out;
}
