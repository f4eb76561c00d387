/* SPDX-License-Identifier: MIT */
#include "workers/contain/json_shape.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/utf8.h"

struct scan {
    const char *p;
    const char *end;
    size_t depth;
    uint8_t objects[(JSON_SHAPE_DEPTH_MAX + 7) / 8]; /* a bit for each depth; else it is a list */
};

static bool in_object(const struct scan *s)
{
    size_t at = s->depth - 1;
    return s->objects[at / 8] >> (at % 8) & 1;
}

static bool enter(struct scan *s, bool object)
{
    size_t at = s->depth;
    if (at == JSON_SHAPE_DEPTH_MAX)
        return false;
    uint8_t bit = (uint8_t)(1U << (at % 8));
    s->objects[at / 8] = (uint8_t)(object ? s->objects[at / 8] | bit : s->objects[at / 8] & ~bit);
    s->depth++;
    return true;
}

static char at(const struct scan *s)
{
    return s->p < s->end ? *s->p : '\0';
}

static void blanks(struct scan *s)
{
    while (at(s) == ' ' || at(s) == '\t' || at(s) == '\n' || at(s) == '\r')
        s->p++;
}

static bool take(struct scan *s, char c)
{
    if (at(s) != c)
        return false;
    s->p++;
    return true;
}

/* ---- texts ---- */

/* The four digits behind "\u"; -1 when they are none. */
static int32_t four_digits(struct scan *s)
{
    int32_t v = 0;
    for (int i = 0; i < 4; i++) {
        static const char digits[] = "0123456789abcdef";
        char c = at(s);
        const char *d = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
        if (!d)
            return -1;
        v = v * 16 + (int32_t)(d - digits);
        s->p++;
    }
    return v;
}

static bool escape(struct scan *s)
{
    char c = at(s);
    if (c == '\0' || !strchr("\"\\/bfnrtu", c))
        return false;
    s->p++;
    if (c != 'u')
        return true;
    int32_t v = four_digits(s);
    if (v >= 0xD800 && v <= 0xDBFF) {
        if (!take(s, '\\') || !take(s, 'u'))
            return false;
        int32_t low = four_digits(s);
        return low >= 0xDC00 && low <= 0xDFFF;
    }
    return v > 0 && !(v >= 0xDC00 && v <= 0xDFFF);
}

static bool text(struct scan *s)
{
    if (!take(s, '"'))
        return false;
    while (s->p < s->end) {
        unsigned char c = (unsigned char)*s->p;
        if (take(s, '"'))
            return true;
        if (take(s, '\\')) {
            if (!escape(s))
                return false;
            continue;
        }
        size_t n = c < 0x20 ? 0 : utf8_step(s->p, (size_t)(s->end - s->p));
        if (n == 0)
            return false;
        s->p += n;
    }
    return false;
}

/* ---- numbers and words ---- */

static size_t digits(struct scan *s)
{
    const char *from = s->p;
    while (at(s) >= '0' && at(s) <= '9')
        s->p++;
    return (size_t)(s->p - from);
}

/* Whether a reader can hold it. */
static bool in_range(const char *from, size_t n, bool real)
{
    char copy[JSON_SHAPE_NUMBER_MAX + 1];
    if (n > JSON_SHAPE_NUMBER_MAX)
        return false;
    memcpy(copy, from, n);
    copy[n] = '\0';
    errno = 0;
    if (real)
        return isfinite(strtod(copy, NULL));
    (void)strtoll(copy, NULL, 10);
    return errno == 0;
}

static bool number(struct scan *s)
{
    const char *from = s->p;
    bool real = false;
    (void)take(s, '-');
    if (!take(s, '0') && digits(s) == 0)
        return false;
    if (take(s, '.')) {
        real = true;
        if (digits(s) == 0)
            return false;
    }
    if (take(s, 'e') || take(s, 'E')) {
        real = true;
        if (!take(s, '+'))
            (void)take(s, '-');
        if (digits(s) == 0)
            return false;
    }
    return in_range(from, (size_t)(s->p - from), real);
}

static bool word(struct scan *s)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        size_t n = strlen(words[i]);
        if ((size_t)(s->end - s->p) >= n && memcmp(s->p, words[i], n) == 0) {
            s->p += n;
            return true;
        }
    }
    return false;
}

/* ---- objects and lists ---- */

static bool key(struct scan *s)
{
    blanks(s);
    if (!text(s))
        return false;
    blanks(s);
    return take(s, ':');
}

/* Behind a value, or in an object or list that has none: to where the next value begins, or out. */
static bool go_on(struct scan *s)
{
    while (s->depth > 0) {
        blanks(s);
        if (take(s, ','))
            return !in_object(s) || key(s);
        if (!take(s, in_object(s) ? '}' : ']'))
            return false;
        s->depth--;
    }
    return true;
}

/* One value, or the opening of one that has members; up to where the next value begins. */
static bool step(struct scan *s)
{
    blanks(s);
    char c = at(s);
    if (c != '{' && c != '[') {
        bool ok = c == '"' ? text(s) : c == '-' || (c >= '0' && c <= '9') ? number(s) : word(s);
        return ok && go_on(s);
    }
    s->p++;
    if (!enter(s, c == '{'))
        return false;
    blanks(s);
    if (at(s) == (c == '{' ? '}' : ']'))
        return go_on(s);
    return c == '[' || key(s);
}

bool json_shape_is_small_object(const char *s, size_t n, size_t values_max)
{
    struct scan scan = {.p = s, .end = s + n};
    size_t values = 0;
    blanks(&scan);
    if (at(&scan) != '{')
        return false;
    do {
        if (values++ == values_max || !step(&scan))
            return false;
    } while (scan.depth > 0);
    blanks(&scan);
    return scan.p == scan.end;
}

bool json_shape_is_object(const char *s, size_t n)
{
    return json_shape_is_small_object(s, n, SIZE_MAX);
}
