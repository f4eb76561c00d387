/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/compare.h"

#define ASK_NOTHING                                                          \
    {                                                                        \
        .atol = -1, .rtol = -1, .max_ulp = -1, .max_l2 = -1, .nan_equals = 1 \
    }

static const struct compare_rule nothing = ASK_NOTHING;

static uint32_t bits_of(float f)
{
    uint32_t b;

    memcpy(&b, &f, sizeof(b));
    return b;
}

static struct compare_result run(const struct compare_rule *rule, const void *a, const void *e,
                                 uint64_t n)
{
    struct compare *c = malloc(sizeof(*c));
    struct compare_result r;

    compare_begin(c, rule);
    compare_feed(c, a, e, n);
    compare_end(c, &r);
    free(c);
    return r;
}

static struct compare_result one(const struct compare_rule *rule, float a, float e)
{
    return run(rule, &a, &e, 1);
}

static void test_every_half_has_its_value(void **state)
{
    (void)state;
    for (uint32_t b = 0; b < 65536; b++) {
        const uint32_t exponent = b >> 10 & 31;
        const double fraction = b & 1023;
        const double sign = b >> 15 ? -1 : 1;
        const uint32_t wide = b << 16;
        double half = exponent ? ldexp(1024 + fraction, (int)exponent - 25) : ldexp(fraction, -24);
        float brain;

        if (exponent != 31)
            assert_true(compare_value(COMPARE_F16, b) == sign * half);
        memcpy(&brain, &wide, sizeof(brain));
        if (isfinite(brain))
            assert_true(compare_value(COMPARE_BF16, b) == (double)brain);
    }
}

static void test_floats_have_their_value(void **state)
{
    (void)state;
    /* a stride that is odd meets every exponent, denormals first */
    for (uint64_t b = 0; b < 0x100000000; b += 4099) {
        const uint32_t bits = (uint32_t)b;
        float f;

        memcpy(&f, &bits, sizeof(f));
        if (isfinite(f))
            assert_true(compare_value(COMPARE_F32, bits) == (double)f);
    }
    assert_true(compare_value(COMPARE_F32, 1) == ldexp(1, -149));
    assert_true(compare_value(COMPARE_F32, 0x80000000u) == 0);
}

static void test_ulps_count_neighbours(void **state)
{
    static const float from[] = {1, -1, 1e30f, 0x1p-149f, 0, -0x1p-149f, 0x1.fffffep-127f};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(from); i++) {
        float f = from[i];

        for (uint32_t steps = 0; steps < 40; steps++) {
            assert_int_equal(compare_ulps(COMPARE_F32, bits_of(from[i]), bits_of(f)), steps);
            assert_int_equal(compare_ulps(COMPARE_F32, bits_of(f), bits_of(from[i])), steps);
            f = nextafterf(f, INFINITY);
        }
    }
    assert_int_equal(compare_ulps(COMPARE_F32, bits_of(0.0f), bits_of(-0.0f)), 0);
    assert_int_equal(compare_ulps(COMPARE_F16, 0x0001, 0x8001), 2);
    assert_int_equal(compare_ulps(COMPARE_BF16, 0x3f80, 0x3f81), 1);
    /* the largest distance there is does not wrap */
    assert_int_equal(compare_ulps(COMPARE_F32, 0x7f7fffff, 0xff7fffff), 0xfefffffeu);
}

static void test_tolerance_is_meant_to_the_bit(void **state)
{
    struct compare_rule rule = ASK_NOTHING;

    (void)state;
    rule.atol = 0.25;
    assert_true(one(&rule, 1.25f, 1).close);
    assert_false(one(&rule, nextafterf(1.25f, 2), 1).close);
    rule.rtol = 0.5;
    assert_true(one(&rule, 1.75f, 1).close);
    assert_false(one(&rule, nextafterf(1.75f, 2), 1).close);
    assert_true(one(&rule, -1.75f, -1).close);
    rule.atol = -1; /* rtol alone: of the expected value, not of the actual one */
    assert_true(one(&rule, 1.5f, 1).close);
    assert_false(one(&rule, 1, 2.5f).close);
    assert_false(one(&rule, 0x1p-149f, 0).close);
    rule.rtol = 0; /* nothing but the same value, and zeros are the same */
    assert_true(one(&rule, 0.0f, -0.0f).close);
    assert_false(one(&rule, 1, nextafterf(1, 2)).close);
}

static void test_nan_and_infinity(void **state)
{
    static const uint32_t nans[] = {0x7fc00000, 0xffc00000, 0x7f800001, 0xffffffff, 0x7fc12345};
    const uint32_t one_bits = bits_of(1);
    struct compare_rule rule = ASK_NOTHING;

    (void)state;
    rule.atol = 1e300; /* no tolerance excuses them */
    for (size_t i = 0; i < ARRAY_LEN(nans); i++) {
        for (size_t j = 0; j < ARRAY_LEN(nans); j++) {
            rule.nan_equals = 1;
            assert_true(run(&rule, &nans[i], &nans[j], 1).close);
            rule.nan_equals = 0;
            assert_false(run(&rule, &nans[i], &nans[j], 1).close);
        }
        rule.nan_equals = 1;
        assert_int_equal(run(&rule, &nans[i], &one_bits, 1).counts.nan_differs, 1);
        assert_false(run(&rule, &one_bits, &nans[i], 1).close);
    }
    assert_true(one(&rule, INFINITY, INFINITY).close);
    assert_true(one(&rule, -INFINITY, -INFINITY).close);
    assert_false(one(&rule, -INFINITY, INFINITY).close);
    assert_int_equal(one(&rule, 3e38f, INFINITY).counts.inf_differs, 1);
    assert_false(one(&rule, INFINITY, 3e38f).close);
    /* infinities add nothing to the sums: the L2 of the rest stays a number */
    rule.max_l2 = 0;
    assert_true(one(&rule, INFINITY, INFINITY).l2 == 0);
}

static void test_l2_neither_overflows_nor_vanishes(void **state)
{
    const uint64_t n = 1000;
    float *a = calloc(n, sizeof(*a));
    float *e = calloc(n, sizeof(*e));
    struct compare_rule rule = ASK_NOTHING;
    struct compare_result r;

    (void)state;
    rule.max_l2 = 2;
    for (uint64_t i = 0; i < n; i++) {
        a[i] = -3.4e38f; /* squares that float, and a sum that careless double code, would lose */
        e[i] = 3.4e38f;
    }
    r = run(&rule, a, e, n);
    assert_true(r.close && r.l2 == 2);
    for (uint64_t i = 0; i < n; i++) {
        a[i] = 0x1p-148f;
        e[i] = 0x1p-149f;
    }
    r = run(&rule, a, e, n);
    assert_true(r.close && r.l2 == 1);
    memset(e, 0, n * sizeof(*e));
    r = run(&rule, a, e, n);
    assert_true(isinf(r.l2) && r.l2_beyond && !r.close);
    r = run(&rule, e, e, n);
    assert_true(r.close && r.l2 == 0);
    free(a);
    free(e);
}

static void test_rules_are_checked(void **state)
{
    struct compare_rule rule = nothing;
    struct err err;

    (void)state;
    assert_int_equal(compare_rule_check(&rule, &err), E_VALIDATION);
    rule.max_ulp = 0;
    assert_int_equal(compare_rule_check(&rule, &err), E_OK);
    rule.rtol = NAN;
    assert_int_equal(compare_rule_check(&rule, &err), E_VALIDATION);
    rule.rtol = INFINITY;
    assert_int_equal(compare_rule_check(&rule, &err), E_VALIDATION);
    rule = (struct compare_rule){.max_l2 = 1, .nan_equals = 2};
    assert_int_equal(compare_rule_check(&rule, &err), E_VALIDATION);
}

/* ---- the same bits, however the work is cut ---- */

#define N     (5 * COMPARE_CHUNK + 12345)
#define PARTS 6

struct share {
    const float *a;
    const float *e;
    const struct compare_rule *rule;
    struct compare_part *parts;
    size_t first;
    size_t step;
};

static void *some_chunks(void *arg)
{
    const struct share *s = arg;

    for (size_t i = s->first; i < PARTS; i += s->step) {
        const uint64_t at = i * COMPARE_CHUNK;
        const uint64_t n = N - at < COMPARE_CHUNK ? N - at : COMPARE_CHUNK;

        compare_chunk(s->rule, i, s->a + at, s->e + at, n, &s->parts[i]);
    }
    return NULL;
}

static void by_threads(const float *a, const float *e, const struct compare_rule *rule,
                       size_t threads, struct compare_result *out)
{
    struct compare_part parts[PARTS];
    struct share shares[8];
    pthread_t t[8];

    memset(parts, 0xee, sizeof(parts));
    for (size_t i = 0; i < threads; i++) {
        shares[i] = (struct share){a, e, rule, parts, i, threads};
        assert_int_equal(pthread_create(&t[i], NULL, some_chunks, &shares[i]), 0);
    }
    for (size_t i = 0; i < threads; i++)
        pthread_join(t[i], NULL);
    compare_fold(rule, parts, PARTS, out);
}

static void by_pieces(const float *a, const float *e, const struct compare_rule *rule,
                      struct compare_result *out)
{
    struct compare *c = malloc(sizeof(*c));
    uint64_t at = 0;

    compare_begin(c, rule);
    for (uint64_t piece = 1; at < N; piece = piece * 3 + 7) {
        const uint64_t n = piece < N - at ? piece : N - at;

        compare_feed(c, a + at, e + at, n);
        at += n;
    }
    compare_end(c, out);
    free(c);
}

static void test_cuts_do_not_show(void **state)
{
    float *a = malloc(N * sizeof(*a));
    float *e = malloc(N * sizeof(*e));
    struct compare_rule rule = {.atol = 1e-3, .rtol = 1e-3, .max_ulp = 4000, .max_l2 = 1e-3};
    struct compare_result whole;
    struct compare_result other;

    (void)state;
    srand(7);
    for (size_t i = 0; i < N; i++) {
        e[i] = ldexpf((float)rand() - (float)(RAND_MAX / 2), rand() % 60 - 50);
        a[i] = e[i] * (1 + (float)(rand() % 1000 - 500) * 1e-6f);
    }
    whole = run(&rule, a, e, N);
    assert_true(whole.counts.beyond_ulp > 0 && whole.counts.first < N);
    for (size_t threads = 1; threads <= 8; threads++) {
        by_threads(a, e, &rule, threads, &other);
        assert_memory_equal(&whole, &other, sizeof(whole));
    }
    by_pieces(a, e, &rule, &other);
    assert_memory_equal(&whole, &other, sizeof(whole));
    /* and it is no constant: the sign of one element shows */
    a[N - 1] = -a[N - 1];
    other = run(&rule, a, e, N);
    assert_true(other.err2 != whole.err2);
    free(a);
    free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_half_has_its_value),
        cmocka_unit_test(test_floats_have_their_value),
        cmocka_unit_test(test_ulps_count_neighbours),
        cmocka_unit_test(test_tolerance_is_meant_to_the_bit),
        cmocka_unit_test(test_nan_and_infinity),
        cmocka_unit_test(test_l2_neither_overflows_nor_vanishes),
        cmocka_unit_test(test_rules_are_checked),
        cmocka_unit_test(test_cuts_do_not_show),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
