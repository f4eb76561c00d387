/* SPDX-License-Identifier: MIT */
#include "eth/rpc_shape.h"

#include <stdlib.h>
#include <string.h>

#include "lib/hex.h"

/* The hex digits of a 0x string; s NULL for anything else. */
static struct text digits(const json_t *v)
{
    const char *s = json_string_value(v);
    size_t n = s ? json_string_length(v) : 0;

    if (n < 2 || s[0] != '0' || s[1] != 'x' || (n > 3 && s[2] == '0' && s[3] == 'x'))
        return (struct text){NULL, 0};
    return (struct text){s + 2, n - 2};
}

enum err_code shape_word(const json_t *v, const char *what, uint8_t out[32], struct err *err)
{
    struct text d = digits(v);
    char padded[65];

    while (d.s && d.n > 1 && d.s[0] == '0') {
        d.s++;
        d.n--;
    }
    if (!d.s || d.n == 0 || d.n > 64)
        return err_set(err, E_PEER, "the node's %s is no quantity", what);
    memset(padded, '0', sizeof(padded));
    memcpy(padded + 64 - d.n, d.s, d.n);
    if (!hex_decode(padded, 64, out, 32))
        return err_set(err, E_PEER, "the node's %s is no quantity", what);
    return E_OK;
}

enum err_code shape_u64(const json_t *v, const char *what, uint64_t *out, struct err *err)
{
    uint8_t word[32] = {0};
    uint64_t n = 0;
    enum err_code rc = shape_word(v, what, word, err);

    if (rc != E_OK)
        return rc;
    for (int i = 0; i < 32; i++) {
        if (i < 24 && word[i] != 0)
            return err_set(err, E_PEER, "the node's %s is beyond 64 bits", what);
        n = n << 8 | word[i];
    }
    *out = n;
    return E_OK;
}

enum err_code shape_fixed(const json_t *v, const char *what, uint8_t *out, size_t n,
                          struct err *err)
{
    struct text d = digits(v);

    if (!d.s || !hex_decode(d.s, d.n, out, n))
        return err_set(err, E_PEER, "the node's %s is not %zu bytes of hex", what, n);
    return E_OK;
}

enum err_code shape_bytes(const json_t *v, const char *what, struct arena *a, struct bytes *out,
                          struct err *err)
{
    struct text d = digits(v);
    uint8_t *p;

    if (!d.s)
        return err_set(err, E_PEER, "the node's %s is no hex", what);
    p = arena_alloc(a, d.n / 2 + 1);
    if (d.n > 0 && !hex_decode(d.s, d.n, p, d.n / 2))
        return err_set(err, E_PEER, "the node's %s is no hex", what);
    *out = bytes_of(p, d.n / 2);
    return E_OK;
}

json_t *shape_json(const void *p, size_t n)
{
    char *s = malloc(2 * n + 3);
    json_t *v;

    if (!s)
        abort();
    memcpy(s, "0x", 2);
    hex_encode(p, n, s + 2);
    v = json_stringn(s, 2 * n + 2);
    free(s);
    if (!v)
        abort();
    return v;
}
