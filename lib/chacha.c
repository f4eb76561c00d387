/* SPDX-License-Identifier: MIT */
#include "lib/chacha.h"

#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

/* OpenSSL counts bytes in int. */
#define PIECE ((size_t)1 << 30)

void chacha20_fill(const uint8_t key[32], const uint8_t nonce[12], uint32_t counter, void *out,
                   size_t n)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    uint8_t *p = out;
    uint8_t iv[16];

    /* OpenSSL's IV is the first block's counter, little-endian, and the nonce behind it. */
    for (int i = 0; i < 4; i++)
        iv[i] = (uint8_t)(counter >> (8 * i));
    memcpy(iv + 4, nonce, 12);
    if (c == NULL || EVP_EncryptInit_ex(c, EVP_chacha20(), NULL, key, iv) != 1)
        abort();
    /* The key stream is what zeros become; in place. */
    memset(p, 0, n);
    while (n > 0) {
        const size_t now = n < PIECE ? n : PIECE;
        int done = 0;

        if (EVP_EncryptUpdate(c, p, &done, p, (int)now) != 1 || done != (int)now)
            abort();
        p += now;
        n -= now;
    }
    EVP_CIPHER_CTX_free(c);
}
