/* SPDX-License-Identifier: MIT */
#include "lib/utf8.h"

size_t utf8_step(const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s;
    unsigned char low = 0x80; /* range of the second byte, RFC 3629 section 4 */
    unsigned char high = 0xbf;
    size_t step;

    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4)
        return 0;
    step = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (p[0] == 0xe0)
        low = 0xa0;
    if (p[0] == 0xed)
        high = 0x9f;
    if (p[0] == 0xf0)
        low = 0x90;
    if (p[0] == 0xf4)
        high = 0x8f;
    if (n < step || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < step; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return step;
}

bool utf8_valid(const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t step = utf8_step(s + i, n - i);

        if (step == 0)
            return false;
        i += step;
    }
    return true;
}

uint32_t utf8_point(const char *s, size_t step)
{
    static const unsigned char lead_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t point = (unsigned char)s[0] & lead_bits[step];

    for (size_t i = 1; i < step; i++)
        point = point << 6 | ((unsigned char)s[i] & 0x3f);
    return point;
}

bool utf8_line(const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t step = utf8_step(s + i, n - i);
        uint32_t c;

        if (step == 0)
            return false;
        c = utf8_point(s + i, step);
        if (c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0x2028 && c <= 0x202e) ||
            (c >= 0x2066 && c <= 0x2069))
            return false;
        i += step;
    }
    return true;
}
