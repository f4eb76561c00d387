/* SPDX-License-Identifier: MIT */
/* What a kept container is worth, by the formula of warm_value.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "workers/agent/warm_value.h"

#define S   1000000LL
#define MIB 1048576LL

static void test_means(void **state)
{
    struct warm_history h = {0};
    (void)state;
    warm_saw_task(&h, 10 * S);
    assert_true(h.gap_s == 0);
    warm_saw_task(&h, 14 * S);
    assert_true(h.gap_s == 4);
    warm_saw_task(&h, 22 * S); /* 4 + (8 - 4) / 4 */
    assert_true(h.gap_s == 5);
    warm_saw_start(&h, 400, 0);
    warm_saw_start(&h, 0, 1); /* quicker than the clock tells: 1 ms */
    assert_true(h.cold_ms == 400 && h.warm_ms == 1);
    warm_saw_start(&h, 800, 0);
    assert_true(h.cold_ms == 500);
}

static double value(double gap_s, int64_t idle_s, int64_t left_s, double saved_ms, int64_t mib)
{
    struct warm_history h = {.gap_s = gap_s, .cold_ms = saved_ms + 1, .warm_ms = 1};
    h.last_us = 1000 * S;
    int64_t now = (1000 + idle_s) * S;
    return warm_value(&h, now, now + left_s * S, mib * MIB);
}

static void test_value(void **state)
{
    (void)state;
    /* a gap as long as the rest of its life: 1 - 1/e of what a hit saves */
    double v = value(60, 0, 60, 1000, 10);
    assert_true(v > 63.2 && v < 63.3);
    assert_true(value(60, 0, 60, 2000, 10) > v);    /* saves more */
    assert_true(value(60, 0, 60, 1000, 20) < v);    /* holds more */
    assert_true(value(600, 0, 60, 1000, 10) < v);   /* asked for less often */
    assert_true(value(60, 0, 600, 1000, 10) > v);   /* lives longer */
    assert_true(value(60, 3600, 60, 1000, 10) < v); /* was silent */
    assert_true(value(60, 30, 60, 1000, 10) == v);  /* but not longer than usual */
    assert_true(value(60, 0, 0, 1000, 10) == 0);    /* to be recycled */
    assert_true(value(60, 0, 60, -5, 10) == 0);     /* saves nothing */
    assert_true(value(60, 0, 60, 1000, 0) == value(60, 0, 60, 1000, 1));
    assert_true(value(0, 0, 60, 1000, 10) == value(600, 0, 60, 1000, 10)); /* not known yet */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_means), cmocka_unit_test(test_value)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
