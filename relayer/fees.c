/* SPDX-License-Identifier: MIT */
#include "relayer/fees.h"

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Rounded up, so that the step is never below 12.5 %; saturates. */
static uint64_t eighth_more(uint64_t v)
{
    uint64_t step = v / 8 + (v % 8 != 0) + (v == 0);

    return v > UINT64_MAX - step ? UINT64_MAX : v + step;
}

/* The highest figure that can be raised FEES_STEPS times without passing the cap. */
static uint64_t below(uint64_t cap)
{
    for (int i = 0; i < FEES_STEPS; i++)
        cap = cap / 9 * 8 + cap % 9 * 8 / 9;
    return cap;
}

struct fees fees_first(uint64_t base_fee, uint64_t tip, const struct fee_cap *cap)
{
    uint64_t twice = base_fee > UINT64_MAX / 2 ? UINT64_MAX : base_fee * 2;
    uint64_t want_tip = least(tip, below(cap->tip));
    uint64_t want = twice > UINT64_MAX - want_tip ? UINT64_MAX : twice + want_tip;
    uint64_t max_fee = least(want, cap->max_fee);

    return (struct fees){.max_fee = max_fee, .tip = least(want_tip, max_fee)};
}

enum err_code fees_bump(const struct fees *last, const struct fees *now, const struct fee_cap *cap,
                        struct fees *out, struct err *err)
{
    struct fees next = {.max_fee = most(eighth_more(last->max_fee), now->max_fee),
                        .tip = most(last->tip > 0 ? eighth_more(last->tip) : 0, now->tip)};

    if (next.max_fee > cap->max_fee || next.tip > cap->tip)
        return err_set(err, E_RANGE, "a higher fee than %llu (tip %llu) is above the cap",
                       (unsigned long long)last->max_fee, (unsigned long long)last->tip);
    *out = next;
    return E_OK;
}

enum err_code fees_cost(const struct fees *fees, uint64_t gas, struct wei *out, struct err *err)
{
    /* In 32-bit halves: the product has 128 bits. */
    struct wei low = wei_from_u64((gas & UINT32_MAX) * (fees->max_fee & UINT32_MAX));
    struct wei a = wei_from_u64((gas >> 32) * (fees->max_fee & UINT32_MAX));
    struct wei b = wei_from_u64((gas & UINT32_MAX) * (fees->max_fee >> 32));
    struct wei middle = {{0}};
    struct wei high = {.limb = {0, (gas >> 32) * (fees->max_fee >> 32)}};
    enum err_code rc = wei_add(a, b, &middle, err);

    middle =
        (struct wei){.limb = {middle.limb[0] << 32, middle.limb[0] >> 32 | middle.limb[1] << 32}};
    if (rc == E_OK)
        rc = wei_add(low, middle, &low, err);
    return rc == E_OK ? wei_add(low, high, out, err) : rc;
}
