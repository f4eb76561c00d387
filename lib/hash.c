/* SPDX-License-Identifier: MIT */
#include "lib/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>

struct sha256_stream {
    EVP_MD_CTX *ctx;
};

/* Fetched once: OpenSSL 3 looks an algorithm up by name on every use otherwise. */
static const EVP_MD *sha256_md;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void sha256_fetch(void)
{
    sha256_md = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!sha256_md)
        abort();
}

struct digest sha256(const void *p, size_t n)
{
    struct digest out;

    pthread_once(&sha256_once, sha256_fetch);
    if (EVP_Digest(n > 0 ? p : "", n, out.b, NULL, sha256_md, NULL) != 1)
        abort();
    return out;
}

struct sha256_stream *sha256_begin(void)
{
    struct sha256_stream *h = malloc(sizeof(*h));

    pthread_once(&sha256_once, sha256_fetch);
    if (!h)
        abort();
    h->ctx = EVP_MD_CTX_new();
    if (!h->ctx || EVP_DigestInit_ex2(h->ctx, sha256_md, NULL) != 1)
        abort();
    return h;
}

void sha256_add(struct sha256_stream *h, const void *p, size_t n)
{
    if (n > 0 && EVP_DigestUpdate(h->ctx, p, n) != 1)
        abort();
}

struct digest sha256_end(struct sha256_stream *h)
{
    struct digest out;

    if (EVP_DigestFinal_ex(h->ctx, out.b, NULL) != 1)
        abort();
    EVP_MD_CTX_free(h->ctx);
    free(h);
    return out;
}

void random_bytes(void *out, size_t n)
{
    unsigned char *p = out;

    while (n > 0) {
        int step = n > 1 << 20 ? 1 << 20 : (int)n;

        if (RAND_bytes(p, step) != 1)
            abort();
        p += step;
        n -= (size_t)step;
    }
}

bool bytes_equal_ct(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

void wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}

uint64_t hash64(const void *p, size_t n)
{
    const uint8_t *s = p;
    uint64_t h = 14695981039346656037ULL;

    for (size_t i = 0; i < n; i++)
        h = (h ^ s[i]) * 1099511628211ULL;
    return h;
}
