/* SPDX-License-Identifier: MIT */
#include "handlers/page.h"

#include <string.h>

#include "handlers/common.h"
#include "lib/arena.h"
#include "lib/hash.h"
#include "lib/keytext.h"
#include "server/route.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

#define CHECK_SIZE 4

/* Over the operation too, so that a cursor of one list fits no other. */
static void check_of(const char *operation, const uint8_t *key, size_t n, uint8_t out[CHECK_SIZE])
{
    uint8_t all[64 + CURSOR_KEY_MAX];
    size_t name = strnlen(operation, 64);
    uint32_t crc;

    memcpy(all, operation, name);
    memcpy(all + name, key, n);
    crc = crc32_of(all, name + n);
    for (int i = 0; i < CHECK_SIZE; i++)
        out[i] = (uint8_t)(crc >> (24 - 8 * i));
}

void cursor_format(const char *operation, const void *key, size_t n, char *out)
{
    uint8_t raw[CURSOR_KEY_MAX + CHECK_SIZE];
    uint32_t acc = 0;
    int bits = 0;
    size_t len = 0;

    memcpy(raw, key, n);
    check_of(operation, raw, n, raw + n);
    for (size_t i = 0; i < n + CHECK_SIZE; i++) {
        acc = acc << 8 | raw[i];
        for (bits += 8; bits >= 6; bits -= 6)
            out[len++] = alphabet[acc >> (bits - 6) & 63];
    }
    if (bits > 0)
        out[len++] = alphabet[acc << (6 - bits) & 63];
    out[len] = '\0';
}

bool cursor_parse(const char *operation, struct text cursor, void *key, size_t n)
{
    uint8_t raw[CURSOR_KEY_MAX];
    char again[CURSOR_MAX];
    uint32_t acc = 0;
    int bits = 0;
    size_t len = 0;

    for (size_t i = 0; i < cursor.n && len < n; i++) {
        const char *at = cursor.s[i] ? strchr(alphabet, cursor.s[i]) : NULL;

        if (at == NULL)
            return false;
        acc = acc << 6 | (uint32_t)(at - alphabet);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            raw[len++] = (uint8_t)(acc >> bits);
        }
    }
    if (len != n)
        return false;
    /* One text per key: whatever is not what we would have written is not ours. */
    cursor_format(operation, raw, n, again);
    if (!text_is(cursor, again))
        return false;
    memcpy(key, raw, n);
    return true;
}

bool page_begin(struct op *op, bool has_cursor, struct text cursor, void *key, size_t n)
{
    memset(key, 0, n);
    if (!has_cursor || cursor_parse(op->route->operation, cursor, key, n))
        return true;
    (void)op_fail(op, E_BAD_CURSOR, "The cursor is not one that this list gave.");
    return false;
}

struct json_out *page_open(struct op *op)
{
    struct json_out *o = json_out_new(op->arena);

    put_open(o, NULL, '{');
    put_open(o, "data", '[');
    return o;
}

static void page_close(struct op *op, struct json_out *o, bool more, const struct page_next *next)
{
    char cursor[CURSOR_MAX];

    put_close(o, ']');
    put_bool(o, "has_more", more);
    if (more) {
        cursor_format(op->route->operation, next->key, next->n, cursor);
        put_string(o, "next_cursor", cursor);
        op_header(op, "Link",
                  arena_printf(op->arena, "<%.*s?%s&cursor=%s>; rel=\"next\"", (int)op->path.n,
                               op->path.s, next->query, cursor));
    } else {
        put_null(o, "next_cursor");
    }
    put_close(o, '}');
}

enum op_next page_end(struct op *op, struct json_out *o, bool more, const void *key, size_t n,
                      const char *query)
{
    page_close(op, o, more, &(struct page_next){key, n, query});
    return reply(op, 200, o);
}

enum op_next page_end_tagged(struct op *op, struct json_out *o, bool more,
                             const struct page_next *next)
{
    page_close(op, o, more, next);
    return reply_tagged(op, o);
}
