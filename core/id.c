/* SPDX-License-Identifier: MIT */
#include "core/id.h"

#include <string.h>

#define BASE32_CHARS 26

/* Crockford's alphabet in lower case, as the TypeID specification asks. */
static const char alphabet[] = "0123456789abcdefghjkmnpqrstvwxyz";

static const char *const prefixes[ID_KIND_COUNT] = {
    [ID_SOURCE] = "src",     [ID_TASK] = "tsk",      [ID_PROVIDER] = "prv", [ID_ATTEMPT] = "att",
    [ID_RESPONSE] = "rsp",   [ID_BATCH] = "bat",     [ID_WEBHOOK] = "whk",  [ID_KEY] = "key",
    [ID_WITHDRAWAL] = "wdr", [ID_CHALLENGE] = "chl",
};

struct uuid id_make(int64_t unix_ms, const uint8_t random[10])
{
    struct uuid u;

    for (int i = 0; i < 6; i++)
        u.b[i] = (uint8_t)((uint64_t)unix_ms >> (40 - 8 * i));
    memcpy(u.b + 6, random, 10);
    u.b[6] = (uint8_t)((u.b[6] & 0x0f) | 0x70); /* RFC 9562 5.7: version 7 */
    u.b[8] = (uint8_t)((u.b[8] & 0x3f) | 0x80); /* variant 10 */
    return u;
}

static uint64_t big_endian(const uint8_t *b)
{
    uint64_t v = 0;

    for (int i = 0; i < 8; i++)
        v = v << 8 | b[i];
    return v;
}

void id_format(enum id_kind kind, struct uuid id, char *out)
{
    size_t n = strlen(prefixes[kind]);
    uint64_t high = big_endian(id.b);
    uint64_t low = big_endian(id.b + 8);

    memcpy(out, prefixes[kind], n);
    out[n++] = '_';
    /* Two zero bits and the 128 of the UUID, five at a time from the end. */
    for (size_t c = BASE32_CHARS; c-- > 0;) {
        out[n + c] = alphabet[low & 31];
        low = low >> 5 | high << 59;
        high >>= 5;
    }
    out[n + BASE32_CHARS] = '\0';
}

bool id_parse(enum id_kind kind, struct text s, struct uuid *out)
{
    size_t n = strlen(prefixes[kind]);
    struct uuid u = {{0}};

    if (!s.s || s.n != n + 1 + BASE32_CHARS || memcmp(s.s, prefixes[kind], n) != 0 || s.s[n] != '_')
        return false;
    for (int c = 0; c < BASE32_CHARS; c++) {
        char ch = s.s[n + 1 + (size_t)c];
        const char *at = ch ? strchr(alphabet, ch) : NULL;
        unsigned v;

        if (!at)
            return false;
        v = (unsigned)(at - alphabet);
        if (c == 0 && v > 7) /* 26 characters hold 130 bits; more than 128 overflow */
            return false;
        for (int i = 0; i < 5; i++) {
            int bit = 5 * c + i - 2;

            if (bit >= 0 && (v >> (4 - i) & 1))
                u.b[bit / 8] = (uint8_t)(u.b[bit / 8] | 0x80 >> bit % 8);
        }
    }
    /* Nobody is made with it, and further down 16 zero bytes say NULL. */
    if (memcmp(&u, &(struct uuid){{0}}, sizeof(u)) == 0)
        return false;
    *out = u;
    return true;
}

const char *id_prefix(enum id_kind kind)
{
    return prefixes[kind];
}
