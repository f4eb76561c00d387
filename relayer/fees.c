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

struct fees fees_first(uint64_t base_fee, uint64_t tip, const struct fee_cap *cap)
{
    uint64_t twice = base_fee > UINT64_MAX / 2 ? UINT64_MAX : base_fee * 2;
    uint64_t want_tip = least(tip, cap->tip);
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
