/* SPDX-License-Identifier: MIT */
#include "relayer/keystore.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "eth/address.h"
#include "eth/keccak.h"
#include "lib/hash.h"
#include "lib/hex.h"
#include "lib/json.h"

#define DERIVED      32
#define SECRET       32
#define SALT_MAX     64
#define ROUNDS_MAX   10000000
#define PARALLEL_MAX 16

/* What the file says, with the secret still closed. */
struct locked {
    const json_t *kdf_params;
    const char *kdf;
    struct bytes password;
    uint8_t salt[SALT_MAX];
    size_t salt_len;
    uint8_t iv[16];
    uint8_t text[SECRET];
    uint8_t mac[32];
};

static bool get_hex(const json_t *object, const char *name, uint8_t *out, size_t n)
{
    const json_t *v = json_object_get(object, name);

    return json_is_string(v) && hex_decode(json_string_value(v), json_string_length(v), out, n);
}

static bool get_text(const json_t *object, const char *name, const char *want)
{
    const char *s = json_string_value(json_object_get(object, name));

    return s && strcmp(s, want) == 0;
}

static bool get_number(const json_t *object, const char *name, uint64_t max, uint64_t *out)
{
    const json_t *v = json_object_get(object, name);

    if (!json_is_integer(v) || json_integer_value(v) < 1 || (uint64_t)json_integer_value(v) > max)
        return false;
    *out = (uint64_t)json_integer_value(v);
    return true;
}

static bool get_salt(struct locked *l)
{
    const json_t *v = json_object_get(l->kdf_params, "salt");
    size_t digits = json_is_string(v) ? json_string_length(v) : 0;
    const char *s = json_string_value(v);

    if (digits > 2 && strncmp(s, "0x", 2) == 0)
        digits -= 2;
    l->salt_len = digits / 2;
    return l->salt_len > 0 && l->salt_len <= SALT_MAX &&
           hex_decode(s, json_string_length(v), l->salt, l->salt_len);
}

static enum err_code read_file(const json_t *file, struct locked *l, struct err *err)
{
    /* Both spellings are in use. */
    const json_t *crypto = json_object_get(file, "crypto");
    uint64_t number;

    if (!crypto)
        crypto = json_object_get(file, "Crypto");
    if (!get_number(file, "version", 3, &number) || number != 3)
        return err_set(err, E_CONFIG, "the keystore is not of version 3");
    if (!get_text(crypto, "cipher", "aes-128-ctr"))
        return err_set(err, E_CONFIG, "the keystore's cipher is not aes-128-ctr");
    l->kdf = json_string_value(json_object_get(crypto, "kdf"));
    l->kdf_params = json_object_get(crypto, "kdfparams");
    if (!l->kdf || !get_salt(l) || !get_number(l->kdf_params, "dklen", DERIVED, &number) ||
        number != DERIVED)
        return err_set(err, E_CONFIG, "the keystore's key derivation is not one we know");
    if (!get_hex(json_object_get(crypto, "cipherparams"), "iv", l->iv, sizeof(l->iv)) ||
        !get_hex(crypto, "ciphertext", l->text, sizeof(l->text)) ||
        !get_hex(crypto, "mac", l->mac, sizeof(l->mac)))
        return err_set(err, E_CONFIG, "the keystore lacks an iv, a 32-byte text or a mac");
    return E_OK;
}

/* The file's figures decide how long this takes: a hostile one must not decide how much memory. */
static enum err_code derive(const struct locked *l, uint8_t out[DERIVED], struct err *err)
{
    const char *kdf = l->kdf ? l->kdf : "";
    const char *password = (const char *)l->password.p;
    uint64_t n;
    uint64_t r;
    uint64_t p;
    bool ok = false;

    if (strcmp(kdf, "scrypt") == 0) {
        if (!get_number(l->kdf_params, "n", (uint64_t)1 << 24, &n) ||
            !get_number(l->kdf_params, "r", 64, &r) ||
            !get_number(l->kdf_params, "p", PARALLEL_MAX, &p) ||
            128 * n * r > KEYSTORE_MEMORY_MAX / 2)
            return err_set(err, E_CONFIG, "the keystore's scrypt figures are out of bounds");
        ok = EVP_PBE_scrypt(password, l->password.n, l->salt, l->salt_len, n, r, p,
                            KEYSTORE_MEMORY_MAX, out, DERIVED) == 1;
    } else if (strcmp(kdf, "pbkdf2") == 0) {
        if (!get_text(l->kdf_params, "prf", "hmac-sha256") ||
            !get_number(l->kdf_params, "c", ROUNDS_MAX, &n))
            return err_set(err, E_CONFIG, "the keystore's pbkdf2 figures are out of bounds");
        ok = PKCS5_PBKDF2_HMAC(password, (int)l->password.n, l->salt, (int)l->salt_len, (int)n,
                               EVP_sha256(), DERIVED, out) == 1;
    }
    return ok ? E_OK : err_set(err, E_CONFIG, "the keystore's key derivation '%s' failed", kdf);
}

static enum err_code decrypt(const struct locked *l, const uint8_t key[DERIVED],
                             uint8_t out[SECRET], struct err *err)
{
    uint8_t sealed[16 + SECRET];
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    struct digest mac;
    int n = 0;
    bool ok;

    memcpy(sealed, key + 16, 16);
    memcpy(sealed + 16, l->text, SECRET);
    mac = keccak256(sealed, sizeof(sealed));
    wipe(sealed, sizeof(sealed));
    if (CRYPTO_memcmp(mac.b, l->mac, sizeof(mac.b)) != 0) {
        EVP_CIPHER_CTX_free(c);
        return err_set(err, E_CONFIG,
                       "the keystore does not open: wrong password, or a damaged file");
    }
    ok = c && EVP_DecryptInit_ex(c, EVP_aes_128_ctr(), NULL, key, l->iv) == 1 &&
         EVP_DecryptUpdate(c, out, &n, l->text, SECRET) == 1 && n == SECRET;
    EVP_CIPHER_CTX_free(c); /* wipes its key */
    return ok ? E_OK : err_set(err, E_CONFIG, "the keystore was not decrypted");
}

/* The address is a hint for people; a file whose hint is another key's was tampered with. */
static enum err_code check_address(const json_t *file, const struct signer *s, struct err *err)
{
    const json_t *v = json_object_get(file, "address");
    struct address said = {{0}};

    if (!v)
        return E_OK;
    if (!get_hex(file, "address", said.b, sizeof(said.b)) || !address_eq(said, signer_address(s)))
        return err_set(err, E_CONFIG, "the keystore names another address than its key's");
    return E_OK;
}

enum err_code keystore_open(struct bytes json, struct bytes password, struct signer **out,
                            struct err *err)
{
    struct locked l = {.password = password};
    struct signer *s = NULL;
    uint8_t key[DERIVED];
    uint8_t secret[SECRET];
    json_t *file = NULL;
    enum err_code rc = json_parse((const char *)json.p, json.n, &file, err);

    if (rc != E_OK)
        return err_set(err, E_CONFIG, "the keystore is no JSON");
    rc = read_file(file, &l, err);
    if (rc == E_OK)
        rc = derive(&l, key, err);
    if (rc == E_OK)
        rc = decrypt(&l, key, secret, err);
    if (rc == E_OK)
        rc = signer_from_bytes(secret, &s, err);
    if (rc == E_OK)
        rc = check_address(file, s, err);
    wipe(key, sizeof(key));
    wipe(secret, sizeof(secret));
    json_decref(file);
    if (rc != E_OK) {
        signer_free(s);
        return rc;
    }
    *out = s;
    return E_OK;
}
