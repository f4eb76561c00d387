/* SPDX-License-Identifier: MIT */
#ifndef CORE_COMPARE_MATH_H
#define CORE_COMPARE_MATH_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/*
 * How two floats are compared: one text for C and for CUDA, so that both give the same bits.
 *
 * Everything is either on integers or one correctly rounded IEEE-754 double operation at a time.
 * A fused multiply-add would round once where two roundings are meant; on the card the _rn
 * functions forbid it, in C -ffp-contract=off does (Makefile).
 */
#ifdef __CUDACC__
#define COMPARE_FN __host__ __device__ static inline
#else
#define COMPARE_FN static inline
#endif

enum compare_type { COMPARE_F32, COMPARE_F16, COMPARE_BF16 };

/** What is asked of two tensors of a type. A criterion below zero is not asked; all that are asked
 * must hold. */
struct compare_rule {
    enum compare_type type;
    double atol;        /**< with rtol: |actual - expected| <= atol + rtol * |expected| */
    double rtol;        /**< either one below zero counts as 0 while the other is asked */
    int64_t max_ulp;    /**< steps between representable numbers of the type */
    double max_l2;      /**< relative L2: |actual - expected|2 / |expected|2 */
    int32_t nan_equals; /**< 1: NaN equals NaN, whatever the payloads; 0: NaN equals nothing */
};

/** Numbers that a lane adds up: lane `i % COMPARE_LANES` of a chunk takes element `i`. */
#define COMPARE_LANES 256
/** Elements of a chunk: its sums are one value, whoever computed it. */
#define COMPARE_CHUNK 65536

/** One lane's sums over finite pairs. */
struct compare_lane {
    double err2; /**< squares of differences */
    double ref2; /**< squares of expected values */
};

/** Counts that do not depend on order. */
struct compare_counts {
    uint64_t beyond_tolerance;
    uint64_t beyond_ulp;
    uint64_t nan_differs; /**< one is NaN, or both are and NaN equals nothing */
    uint64_t inf_differs; /**< one is infinite and the other is not the same infinity */
    uint64_t first;       /**< index of the first element that fails; UINT64_MAX: none */
    uint32_t max_ulp;     /**< over finite pairs */
    uint32_t pad;
    double max_abs; /**< over finite pairs */
};

COMPARE_FN double compare_mul(double a, double b)
{
#ifdef __CUDA_ARCH__
    return __dmul_rn(a, b);
#else
    return a * b;
#endif
}

COMPARE_FN double compare_add(double a, double b)
{
#ifdef __CUDA_ARCH__
    return __dadd_rn(a, b);
#else
    return a + b;
#endif
}

/** Exponent and fraction bits of a type. */
COMPARE_FN uint32_t compare_fraction_bits(enum compare_type type)
{
    return type == COMPARE_F32 ? 23 : type == COMPARE_F16 ? 10 : 7;
}

COMPARE_FN uint32_t compare_width(enum compare_type type)
{
    return type == COMPARE_F32 ? 32 : 16;
}

/** Magnitude of infinity: all exponent bits, no fraction; NaN is above it. */
COMPARE_FN uint32_t compare_infinity(enum compare_type type)
{
    return type == COMPARE_F32 ? 0x7f800000u : type == COMPARE_F16 ? 0x7c00u : 0x7f80u;
}

/** Magnitude bits: the sign taken off. */
COMPARE_FN uint32_t compare_magnitude(enum compare_type type, uint32_t bits)
{
    return bits & ((1u << (compare_width(type) - 1)) - 1u);
}

COMPARE_FN bool compare_negative(enum compare_type type, uint32_t bits)
{
    return bits >> (compare_width(type) - 1) != 0;
}

/**
 * The value of finite bits as a double: exact for every type, denormals too, by integer steps
 * alone (a card set to flush denormals would not change it).
 */
COMPARE_FN double compare_value(enum compare_type type, uint32_t bits)
{
    const uint32_t fraction = compare_fraction_bits(type);
    const uint32_t bias = type == COMPARE_F16 ? 15 : 127;
    const uint32_t m = compare_magnitude(type, bits);
    const uint64_t sign = (uint64_t)compare_negative(type, bits) << 63;
    uint32_t exponent = m >> fraction;
    uint64_t significand = m & ((1u << fraction) - 1u);
    uint64_t out = sign;
    double v;

    if (exponent == 0 && significand != 0) {
        /* A denormal is a normal double: shift its leading one into the hidden place. */
        exponent = 1;
        while ((significand >> fraction) == 0) {
            significand <<= 1;
            exponent--; /* wraps below zero, and the sum with 1023 wraps back */
        }
        significand &= (1u << fraction) - 1u;
        out |= (uint64_t)(uint32_t)(exponent + 1023u - bias) << 52 | significand << (52 - fraction);
    } else if (m != 0) {
        out |= (uint64_t)(exponent + 1023u - bias) << 52 | significand << (52 - fraction);
    }
    memcpy(&v, &out, sizeof(v));
    return v;
}

/** Steps between two finite numbers: +0 and -0 are the same, neighbours are 1 apart. */
COMPARE_FN uint32_t compare_ulps(enum compare_type type, uint32_t a, uint32_t b)
{
    const uint32_t ma = compare_magnitude(type, a);
    const uint32_t mb = compare_magnitude(type, b);

    if (compare_negative(type, a) != compare_negative(type, b))
        return ma + mb;
    return ma > mb ? ma - mb : mb - ma;
}

COMPARE_FN double compare_abs(double v)
{
    return v < 0 ? -v : v;
}

/** Whether the tolerance is asked and `diff` is beyond it. */
COMPARE_FN bool compare_beyond(const struct compare_rule *rule, double diff, double expected)
{
    const double rtol = rule->rtol < 0 ? 0 : rule->rtol;
    const double atol = rule->atol < 0 ? 0 : rule->atol;

    if (rule->atol < 0 && rule->rtol < 0)
        return false;
    return diff > compare_add(atol, compare_mul(rtol, compare_abs(expected)));
}

/** Pairs that are not both finite. @return whether the pair was such a one */
COMPARE_FN bool compare_special(const struct compare_rule *rule, uint32_t actual, uint32_t expected,
                                struct compare_counts *c, bool *fails)
{
    const enum compare_type type = rule->type;
    const uint32_t infinity = compare_infinity(type);
    const uint32_t ma = compare_magnitude(type, actual);
    const uint32_t mb = compare_magnitude(type, expected);

    if (ma < infinity && mb < infinity)
        return false;
    if (ma > infinity || mb > infinity) {
        *fails = !(ma > infinity && mb > infinity && rule->nan_equals);
        c->nan_differs += *fails;
    } else {
        *fails = actual != expected;
        c->inf_differs += *fails;
    }
    return true;
}

/** Take one pair: `bits` in the low end, `index` of the element in the tensor. */
COMPARE_FN void compare_pair(const struct compare_rule *rule, uint32_t actual, uint32_t expected,
                             uint64_t index, struct compare_lane *lane, struct compare_counts *c)
{
    const enum compare_type type = rule->type;
    bool fails = false;

    if (!compare_special(rule, actual, expected, c, &fails)) {
        const double e = compare_value(type, expected);
        const double d = compare_add(compare_value(type, actual), -e);
        const double diff = compare_abs(d);
        const uint32_t ulps = compare_ulps(type, actual, expected);
        const bool beyond = compare_beyond(rule, diff, e);
        const bool far = rule->max_ulp >= 0 && ulps > (uint64_t)rule->max_ulp;

        lane->err2 = compare_add(lane->err2, compare_mul(d, d));
        lane->ref2 = compare_add(lane->ref2, compare_mul(e, e));
        c->max_abs = diff > c->max_abs ? diff : c->max_abs;
        c->max_ulp = ulps > c->max_ulp ? ulps : c->max_ulp;
        c->beyond_tolerance += beyond;
        c->beyond_ulp += far;
        fails = beyond || far;
    }
    if (fails && index < c->first)
        c->first = index;
}

/** Add what another lane or chunk counted. */
COMPARE_FN void compare_join(struct compare_counts *to, const struct compare_counts *from)
{
    to->beyond_tolerance += from->beyond_tolerance;
    to->beyond_ulp += from->beyond_ulp;
    to->nan_differs += from->nan_differs;
    to->inf_differs += from->inf_differs;
    to->first = from->first < to->first ? from->first : to->first;
    to->max_ulp = from->max_ulp > to->max_ulp ? from->max_ulp : to->max_ulp;
    to->max_abs = from->max_abs > to->max_abs ? from->max_abs : to->max_abs;
}

/** Nothing counted yet. */
COMPARE_FN void compare_counts_clear(struct compare_counts *c)
{
    memset(c, 0, sizeof(*c));
    c->first = UINT64_MAX;
}

#endif
