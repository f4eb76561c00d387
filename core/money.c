/* SPDX-License-Identifier: MIT */
#include "core/money.h"

#include <gmp.h>
#include <string.h>

#define LIMBS       4
#define DIGITS_MAX  78
#define UNITS_MAX   (((uint64_t)1 << 48) - 1)
#define DIGITS_STEP 19 /* decimal digits that fit a limb */
#define TEN_TO_STEP 10000000000000000000ULL

_Static_assert(sizeof(mp_limb_t) == sizeof(uint64_t) && GMP_NAIL_BITS == 0, "64-bit GMP limbs");

/* GMP's limb is unsigned long, ours uint64_t: the same 64 bits under another name. */
static void load(const struct wei *w, mp_limb_t out[LIMBS])
{
    memcpy(out, w->limb, sizeof(w->limb));
}

static struct wei store(const mp_limb_t in[LIMBS])
{
    struct wei w;

    memcpy(w.limb, in, sizeof(w.limb));
    return w;
}

bool wei_parse(struct text s, struct wei *out)
{
    mp_limb_t x[LIMBS] = {0};
    size_t i = 0;

    if (!s.s || s.n == 0 || s.n > DIGITS_MAX || (s.s[0] == '0' && s.n > 1))
        return false;
    while (i < s.n) {
        mp_limb_t scale = 1;
        mp_limb_t part = 0;

        for (int k = 0; k < DIGITS_STEP && i < s.n; k++, i++) {
            if (s.s[i] < '0' || s.s[i] > '9')
                return false;
            part = part * 10 + (mp_limb_t)(s.s[i] - '0');
            scale *= 10;
        }
        if (mpn_mul_1(x, x, LIMBS, scale) != 0 || mpn_add_1(x, x, LIMBS, part) != 0)
            return false;
    }
    *out = store(x);
    return true;
}

void wei_format(struct wei w, char *out)
{
    char digits[WEI_TEXT_MAX + DIGITS_STEP];
    mp_limb_t x[LIMBS];
    size_t i = sizeof(digits);

    load(&w, x);
    do {
        mp_limb_t part = mpn_divrem_1(x, 0, x, LIMBS, TEN_TO_STEP);

        for (int k = 0; k < DIGITS_STEP; k++, part /= 10)
            digits[--i] = (char)('0' + part % 10);
    } while (!mpn_zero_p(x, LIMBS));
    while (i < sizeof(digits) - 1 && digits[i] == '0')
        i++;
    memcpy(out, digits + i, sizeof(digits) - i);
    out[sizeof(digits) - i] = '\0';
}

struct wei wei_from_u64(uint64_t n)
{
    return (struct wei){{n, 0, 0, 0}};
}

bool wei_is_zero(struct wei w)
{
    return (w.limb[0] | w.limb[1] | w.limb[2] | w.limb[3]) == 0;
}

int wei_cmp(struct wei a, struct wei b)
{
    for (int i = LIMBS - 1; i >= 0; i--)
        if (a.limb[i] != b.limb[i])
            return a.limb[i] < b.limb[i] ? -1 : 1;
    return 0;
}

enum err_code wei_add(struct wei a, struct wei b, struct wei *out, struct err *err)
{
    mp_limb_t x[LIMBS];
    mp_limb_t y[LIMBS];

    load(&a, x);
    load(&b, y);
    if (mpn_add_n(x, x, y, LIMBS) != 0)
        return err_set(err, E_RANGE, "the sum is beyond 2^256 - 1 wei");
    *out = store(x);
    return E_OK;
}

enum err_code wei_fee(struct wei amount, uint32_t bps, struct wei *out, struct err *err)
{
    mp_limb_t x[LIMBS + 1];

    if (bps > 10000)
        return err_set(err, E_RANGE, "a fee is at most 10000 basis points");
    load(&amount, x);
    x[LIMBS] = mpn_mul_1(x, x, LIMBS, bps);
    mpn_divrem_1(x, 0, x, LIMBS + 1, 10000); /* rounded down: the payee keeps the rest */
    *out = store(x);
    return E_OK;
}

enum err_code wei_to_units(struct wei w, uint64_t *out, struct err *err)
{
    mp_limb_t x[LIMBS];

    load(&w, x);
    mpn_divrem_1(x, 0, x, LIMBS, WEI_PER_UNIT);
    if (x[1] != 0 || x[2] != 0 || x[3] != 0 || x[0] > UNITS_MAX)
        return err_set(err, E_RANGE, "more than 2^48 - 1 units");
    *out = x[0];
    return E_OK;
}

struct wei wei_from_units(uint64_t units)
{
    mp_limb_t x[LIMBS] = {units};

    mpn_mul_1(x, x, LIMBS, WEI_PER_UNIT);
    return store(x);
}

void wei_to_be(struct wei w, uint8_t out[32])
{
    for (int i = 0; i < 32; i++)
        out[i] = (uint8_t)(w.limb[3 - i / 8] >> (56 - 8 * (i % 8)));
}

struct wei wei_from_be(const uint8_t in[32])
{
    struct wei w = {{0}};

    for (int i = 0; i < 32; i++)
        w.limb[3 - i / 8] = w.limb[3 - i / 8] << 8 | in[i];
    return w;
}
