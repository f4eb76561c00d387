/* SPDX-License-Identifier: MIT */
#include "lib/keytext.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "lib/hash.h"

static const char base62[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

uint32_t crc32_of(const void *p, size_t n)
{
    return (uint32_t)crc32_z(0, p, n);
}

/* The CRC as a base62 number, most significant digit first, padded with 0. */
static void put_check(const char *random, char *out)
{
    uint32_t crc = crc32_of(random, KEYTEXT_RANDOM);

    for (int i = KEYTEXT_CHECK - 1; i >= 0; i--) {
        out[i] = base62[crc % 62];
        crc /= 62;
    }
}

void keytext_make(const char *prefix, char *out)
{
    size_t n = strlen(prefix);
    size_t end = n + KEYTEXT_RANDOM;
    uint8_t byte;

    if (end + KEYTEXT_CHECK + 1 > KEYTEXT_MAX)
        abort();
    memcpy(out, prefix, n);
    while (n < end) {
        random_bytes(&byte, 1);
        if (byte < 248) /* 4 × 62: the rest would favour the first characters */
            out[n++] = base62[byte % 62];
    }
    put_check(out + end - KEYTEXT_RANDOM, out + end);
    out[end + KEYTEXT_CHECK] = '\0';
    wipe(&byte, sizeof(byte));
}

bool keytext_check(const char *prefix, struct text token)
{
    size_t n = strlen(prefix);
    char check[KEYTEXT_CHECK];

    if (!token.s || token.n != n + KEYTEXT_RANDOM + KEYTEXT_CHECK ||
        memcmp(token.s, prefix, n) != 0)
        return false;
    for (size_t i = n; i < token.n; i++)
        if (token.s[i] == '\0' || !strchr(base62, token.s[i]))
            return false;
    put_check(token.s + n, check);
    return memcmp(token.s + n + KEYTEXT_RANDOM, check, sizeof(check)) == 0;
}
