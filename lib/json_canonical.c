/* SPDX-License-Identifier: MIT */
/* RFC 8785, JSON Canonicalization Scheme. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/json.h"
#include "lib/json_number.h"
#include "lib/utf8.h"

#define CANONICAL_DEPTH 64
#define SAFE_INTEGER    9007199254740992LL /* 2^53 */

static enum err_code put_value(struct buf *b, const json_t *v, int depth, struct err *err);

static enum err_code put(struct buf *b, const char *s, struct err *err)
{
    return buf_add(b, s, strlen(s), err);
}

/* RFC 8785 3.2.2.2: only what JSON requires is escaped, \u in lower case. */
static enum err_code put_string(struct buf *b, const char *s, size_t n, struct err *err)
{
    static const char short_names[] = "btn?fr"; /* of 0x08 to 0x0d */
    enum err_code rc = put(b, "\"", err);
    size_t start = 0;

    if (!utf8_valid(s, n))
        return err_set(err, E_BAD_JSON, "a string is not UTF-8");
    for (size_t i = 0; i < n && rc == E_OK; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        rc = buf_add(b, s + start, i - start, err);
        start = i + 1;
        if (rc != E_OK)
            return rc;
        if (c == '"' || c == '\\')
            rc = buf_printf(b, err, "\\%c", c);
        else if (c >= 0x08 && c <= 0x0d && c != 0x0b)
            rc = buf_printf(b, err, "\\%c", short_names[c - 0x08]);
        else
            rc = buf_printf(b, err, "\\u%04x", c);
    }
    if (rc == E_OK)
        rc = buf_add(b, s + start, n - start, err);
    return rc == E_OK ? put(b, "\"", err) : rc;
}

static enum err_code put_integer(struct buf *b, json_int_t v, struct err *err)
{
    if (v > SAFE_INTEGER || v < -SAFE_INTEGER)
        return err_set(err, E_RANGE, "an integer beyond 2^53 has no canonical form");
    return buf_printf(b, err, "%lld", (long long)v);
}

static enum err_code put_real(struct buf *b, double v, struct err *err)
{
    char text[JSON_NUMBER_MAX];

    if (!isfinite(v))
        return err_set(err, E_RANGE, "a number is not finite");
    json_number(v, text);
    /* 1e18 would be written as an integer that is refused when it comes back. */
    if (fabs(v) > (double)SAFE_INTEGER && strspn(text, "-0123456789") == strlen(text))
        return err_set(err, E_RANGE, "a number beyond 2^53 would be written as an integer");
    return put(b, text, err);
}

/* The two UTF-16 code units of a code point as one number that sorts like them. */
static uint32_t utf16_rank(uint32_t point)
{
    if (point < 0x10000)
        return point << 16;
    point -= 0x10000;
    return (0xd800 + (point >> 10)) << 16 | (0xdc00 + (point & 0x3ff));
}

/* RFC 8785 3.2.3: as arrays of UTF-16 code units. UTF-8 order differs above U+FFFF. */
static int key_order(const void *left, const void *right)
{
    const char *a = *(const char *const *)left;
    const char *b = *(const char *const *)right;
    size_t an = strlen(a);
    size_t bn = strlen(b);
    size_t i = 0;

    while (i < an && i < bn) {
        size_t step_a = utf8_step(a + i, an - i);
        size_t step_b = utf8_step(b + i, bn - i);
        uint32_t x;
        uint32_t y;

        if (step_a == 0 || step_b == 0)
            break; /* not UTF-8: put_string() refuses it afterwards */
        x = utf16_rank(utf8_point(a + i, step_a));
        y = utf16_rank(utf8_point(b + i, step_b));
        if (x != y)
            return x < y ? -1 : 1;
        i += step_a;
    }
    return (an > i) - (bn > i);
}

static enum err_code put_object(struct buf *b, const json_t *v, int depth, struct err *err)
{
    /* jansson's iterator takes a writable object though it only reads. */
    json_t *object = (json_t *)(uintptr_t)v;
    size_t n = json_object_size(v);
    const char **keys = calloc(n ? n : 1, sizeof(*keys));
    enum err_code rc = put(b, "{", err);
    size_t i = 0;

    if (!keys)
        abort();
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it))
        keys[i++] = json_object_iter_key(it);
    qsort(keys, n, sizeof(*keys), key_order);
    for (i = 0; i < n && rc == E_OK; i++) {
        if (i > 0)
            rc = put(b, ",", err);
        if (rc == E_OK)
            rc = put_string(b, keys[i], strlen(keys[i]), err);
        if (rc == E_OK)
            rc = put(b, ":", err);
        if (rc == E_OK)
            rc = put_value(b, json_object_get(v, keys[i]), depth + 1, err);
    }
    free(keys);
    return rc == E_OK ? put(b, "}", err) : rc;
}

static enum err_code put_array(struct buf *b, const json_t *v, int depth, struct err *err)
{
    enum err_code rc = put(b, "[", err);

    for (size_t i = 0; i < json_array_size(v) && rc == E_OK; i++) {
        if (i > 0)
            rc = put(b, ",", err);
        if (rc == E_OK)
            rc = put_value(b, json_array_get(v, i), depth + 1, err);
    }
    return rc == E_OK ? put(b, "]", err) : rc;
}

static enum err_code put_value(struct buf *b, const json_t *v, int depth, struct err *err)
{
    if (!v || depth > CANONICAL_DEPTH)
        return err_set(err, E_BAD_JSON, "no value, or nested deeper than %d", CANONICAL_DEPTH);
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        return put_object(b, v, depth, err);
    case JSON_ARRAY:
        return put_array(b, v, depth, err);
    case JSON_STRING:
        return put_string(b, json_string_value(v), json_string_length(v), err);
    case JSON_INTEGER:
        return put_integer(b, json_integer_value(v), err);
    case JSON_REAL:
        return put_real(b, json_real_value(v), err);
    case JSON_TRUE:
        return put(b, "true", err);
    case JSON_FALSE:
        return put(b, "false", err);
    case JSON_NULL:
        return put(b, "null", err);
    }
    return err_set(err, E_INTERNAL, "unknown JSON type");
}

enum err_code json_canonical(const json_t *v, struct arena *a, struct text *out, struct err *err)
{
    struct buf b = {.cap = 0};
    enum err_code rc = put_value(&b, v, 0, err);

    if (rc == E_OK)
        *out = (struct text){arena_copy(a, (const char *)b.p, b.n), b.n};
    buf_done(&b);
    return rc;
}
