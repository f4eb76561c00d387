/* SPDX-License-Identifier: MIT */
#include "eth/address.h"

#include <ctype.h>

#include "eth/keccak.h"
#include "lib/hex.h"

bool address_parse(struct text s, struct address *out)
{
    if (!s.s || s.n != 42 || s.s[0] != '0' || s.s[1] != 'x')
        return false;
    return hex_decode(s.s, s.n, out->b, sizeof(out->b));
}

/* EIP-55: a letter is upper case where the nibble of the lower-case text's hash is 8 or more. */
void address_format(struct address a, char *out)
{
    struct digest h;

    out[0] = '0';
    out[1] = 'x';
    hex_encode(a.b, sizeof(a.b), out + 2);
    h = keccak256(out + 2, 40);
    for (int i = 0; i < 40; i++)
        if ((h.b[i / 2] >> (i % 2 ? 0 : 4) & 8) != 0)
            out[2 + i] = (char)toupper((unsigned char)out[2 + i]);
}

bool address_eq(struct address a, struct address b)
{
    return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

bool address_is_zero(struct address a)
{
    return address_eq(a, (struct address){{0}});
}
