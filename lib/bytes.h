/* SPDX-License-Identifier: MIT */
#ifndef LIB_BYTES_H
#define LIB_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** Borrowed text, not NUL-terminated by contract; s NULL means "no value" (SQL NULL). */
struct text {
    const char *s;
    size_t n;
};

/** Borrowed bytes; p NULL means "no value". */
struct bytes {
    const uint8_t *p;
    size_t n;
};

/** 16 bytes of a UUID in network order; all zero means "no value". */
struct uuid {
    uint8_t b[16];
};

/** A SHA-256 or Keccak-256 digest. */
struct digest {
    uint8_t b[32];
};

/** A chain address. */
struct address {
    uint8_t b[20];
};

/** Borrow a C string (NULL allowed). */
static inline struct text text_of(const char *s)
{
    return (struct text){s, s ? strlen(s) : 0};
}

static inline bool text_eq(struct text a, struct text b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.s, b.s, a.n) == 0);
}

static inline bool text_is(struct text a, const char *b)
{
    return text_eq(a, text_of(b));
}

static inline struct bytes bytes_of(const void *p, size_t n)
{
    return (struct bytes){(const uint8_t *)p, n};
}

static inline bool uuid_is_zero(struct uuid u)
{
    static const struct uuid zero = {{0}};

    return memcmp(&u, &zero, sizeof(u)) == 0;
}

static inline bool uuid_eq(struct uuid a, struct uuid b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

#endif
