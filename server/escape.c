/* SPDX-License-Identifier: MIT */
#include "server/escape.h"

#include "lib/hex.h"
#include "lib/utf8.h"

bool escape_decode(struct text raw, bool plus, struct arena *arena, struct text *out)
{
    char *s;
    size_t n = 0;

    if (!memchr(raw.s, '%', raw.n) && !(plus && memchr(raw.s, '+', raw.n))) {
        *out = raw;
        return true;
    }
    s = arena_alloc(arena, raw.n + 1);
    for (size_t i = 0; i < raw.n; i++) {
        uint8_t byte = (uint8_t)raw.s[i];

        if (byte == '%' && raw.n - i > 2 && hex_decode(raw.s + i + 1, 2, &byte, 1))
            i += 2;
        else if (byte == '+' && plus)
            byte = ' ';
        s[n++] = (char)byte;
    }
    if (!utf8_valid(s, n))
        return false;
    *out = (struct text){s, n};
    return true;
}

enum err_code escape_query(struct text query, struct arena *arena, struct field_pair *pairs,
                           size_t *n, struct err *err)
{
    size_t count = 0;

    while (query.n > 0) {
        const char *end = memchr(query.s, '&', query.n);
        struct text part = {query.s, end ? (size_t)(end - query.s) : query.n};
        const char *eq = memchr(part.s, '=', part.n);
        struct text name = {part.s, eq ? (size_t)(eq - part.s) : part.n};
        struct text value = eq ? (struct text){eq + 1, part.n - name.n - 1} : text_of("");
        struct field_pair *pair = &pairs[count];

        query.s += end ? part.n + 1 : part.n;
        query.n -= end ? part.n + 1 : part.n;
        if (part.n == 0)
            continue;
        if (++count > QUERY_PAIRS_MAX)
            return err_set(err, E_BAD_REQUEST, "more than %d query parameters", QUERY_PAIRS_MAX);
        if (!escape_decode(name, true, arena, &pair->name) ||
            !escape_decode(value, true, arena, &pair->value))
            return err_set(err, E_BAD_REQUEST, "a query parameter is not UTF-8");
    }
    *n = count;
    return E_OK;
}
