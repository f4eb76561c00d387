/* SPDX-License-Identifier: MIT */
#include "server/idempotency.h"

#include "lib/arena.h"

static enum err_code bad(struct err *err, const char *why)
{
    return err_set(err, E_BAD_IDEMPOTENCY_KEY, "%s", why);
}

static enum err_code read_quoted(struct text value, struct arena *arena, struct text *out,
                                 struct err *err)
{
    char *key = arena_alloc(arena, value.n);
    size_t n = 0;

    if (value.n < 2 || value.s[value.n - 1] != '"')
        return bad(err, "the quoted key has no closing quote");
    for (size_t i = 1; i < value.n - 1; i++) {
        char c = value.s[i];

        if (c == '"')
            return bad(err, "a quote inside the key is not escaped");
        if (c == '\\') {
            c = value.s[++i];
            if (i == value.n - 1 || (c != '"' && c != '\\'))
                return bad(err, "only a quote or a backslash may be escaped");
        }
        if (c < 0x20 || c > 0x7e)
            return bad(err, "the key holds a character that is not visible ASCII");
        key[n++] = c;
    }
    if (n == 0 || n > IDEMPOTENCY_KEY_MAX)
        return bad(err, "the key must have 1 to 255 characters");
    *out = (struct text){key, n};
    return E_OK;
}

enum err_code idempotency_key_read(struct text value, struct arena *arena, struct text *out,
                                   struct err *err)
{
    if (!value.s) {
        *out = value;
        return E_OK;
    }
    if (value.n > 0 && value.s[0] == '"')
        return read_quoted(value, arena, out, err);
    if (value.n == 0 || value.n > IDEMPOTENCY_KEY_MAX)
        return bad(err, "the key must have 1 to 255 characters");
    for (size_t i = 0; i < value.n; i++) {
        if (value.s[i] <= 0x20 || value.s[i] > 0x7e)
            return bad(err, "the key holds a character that is not visible ASCII");
    }
    *out = value;
    return E_OK;
}
