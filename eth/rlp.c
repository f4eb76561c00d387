/* SPDX-License-Identifier: MIT */
#include "eth/rlp.h"

#define SHORT_MAX 55

/* The header of a string (0x80) or list (0xc0) of n bytes. */
static enum err_code put_header(struct buf *out, uint8_t base, size_t n, struct err *err)
{
    uint8_t head[9];
    size_t len = 0;

    if (n <= SHORT_MAX) {
        head[0] = (uint8_t)(base + n);
        return buf_add(out, head, 1, err);
    }
    for (size_t rest = n; rest > 0; rest >>= 8)
        len++;
    head[0] = (uint8_t)(base + SHORT_MAX + len);
    for (size_t i = 0; i < len; i++)
        head[1 + i] = (uint8_t)(n >> (8 * (len - 1 - i)));
    return buf_add(out, head, 1 + len, err);
}

enum err_code rlp_bytes(struct buf *out, const void *p, size_t n, struct err *err)
{
    enum err_code rc;

    if (n == 1 && *(const uint8_t *)p < 0x80)
        return buf_add(out, p, 1, err);
    rc = put_header(out, 0x80, n, err);
    return rc == E_OK ? buf_add(out, p, n, err) : rc;
}

enum err_code rlp_number(struct buf *out, const uint8_t *be, size_t n, struct err *err)
{
    while (n > 0 && *be == 0) {
        be++;
        n--;
    }
    return rlp_bytes(out, be, n, err);
}

enum err_code rlp_u64(struct buf *out, uint64_t v, struct err *err)
{
    uint8_t be[8];

    for (int i = 0; i < 8; i++)
        be[i] = (uint8_t)(v >> (56 - 8 * i));
    return rlp_number(out, be, sizeof(be), err);
}

enum err_code rlp_list(struct buf *out, struct bytes items, struct err *err)
{
    enum err_code rc = put_header(out, 0xc0, items.n, err);

    return rc == E_OK ? buf_add(out, items.p, items.n, err) : rc;
}

/* A length of `len` bytes behind the first: no leading zero, and more than a short form could say.
 */
static enum err_code long_length(struct bytes in, size_t len, size_t *out, struct err *err)
{
    uint64_t n = 0;

    if (in.n < 1 + len)
        return err_set(err, E_PEER, "RLP: the length is cut off");
    if (in.p[1] == 0)
        return err_set(err, E_PEER, "RLP: the length has a leading zero");
    for (size_t i = 0; i < len; i++)
        n = n << 8 | in.p[1 + i];
    if (n <= SHORT_MAX)
        return err_set(err, E_PEER, "RLP: a long form for a short item");
    if (n > in.n)
        return err_set(err, E_PEER, "RLP: the item is cut off");
    *out = (size_t)n;
    return E_OK;
}

enum err_code rlp_take(struct bytes *in, struct rlp_item *out, struct err *err)
{
    uint8_t head;
    uint8_t base;
    size_t skip = 1;
    size_t n = 0;

    if (in->n == 0)
        return err_set(err, E_PEER, "RLP: nothing left");
    head = in->p[0];
    base = head < 0xc0 ? 0x80 : 0xc0;
    if (head < 0x80) {
        skip = 0;
        n = 1;
    } else if (head - base <= SHORT_MAX) {
        n = (size_t)(head - base);
    } else {
        size_t len = (size_t)(head - base - SHORT_MAX);
        enum err_code rc = long_length(*in, len, &n, err);

        if (rc != E_OK)
            return rc;
        skip = 1 + len;
    }
    if (n > in->n - skip)
        return err_set(err, E_PEER, "RLP: the item is cut off");
    if (base == 0x80 && skip == 1 && n == 1 && in->p[1] < 0x80)
        return err_set(err, E_PEER, "RLP: a single byte needs no header");
    *out = (struct rlp_item){head >= 0xc0, bytes_of(in->p + skip, n)};
    *in = bytes_of(in->p + skip + n, in->n - skip - n);
    return E_OK;
}
