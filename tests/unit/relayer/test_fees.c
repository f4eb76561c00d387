/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "relayer/fees.h"

#define GWEI 1000000000ULL

static struct err err;

static void test_first(void **state)
{
    const struct fee_cap cap = {500 * GWEI, 20 * GWEI};
    struct fees f = fees_first(10 * GWEI, 2 * GWEI, &cap);

    (void)state;
    assert_int_equal(f.max_fee, 22 * GWEI);
    assert_int_equal(f.tip, 2 * GWEI);
    f = fees_first(400 * GWEI, 2 * GWEI, &cap);
    assert_int_equal(f.max_fee, 500 * GWEI);
    f = fees_first(UINT64_MAX, UINT64_MAX, &cap);
    assert_int_equal(f.max_fee, 500 * GWEI);
    f = fees_first(1, 2 * GWEI, &(struct fee_cap){GWEI, 20 * GWEI});
    assert_int_equal(f.tip, GWEI); /* a tip above max_fee is no transaction */
}

/* Whatever is suggested, the base fee may then rise by FEES_STEPS steps before the tip is in its
 * way. */
static void test_room(void **state)
{
    static const uint64_t caps[] = {20 * GWEI, 20 * GWEI + 7, 9, 10, 100, 1001, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
        const struct fee_cap cap = {UINT64_MAX, caps[i]};
        struct fees last = fees_first(GWEI, UINT64_MAX, &cap);
        uint64_t base = GWEI;

        for (int step = 0; step < FEES_STEPS; step++) {
            struct fees now;
            struct fees next;

            base *= 2;
            now = fees_first(base, UINT64_MAX, &cap);
            assert_int_equal(fees_bump(&last, &now, &cap, &next, &err), E_OK);
            assert_true(next.max_fee >= 2 * base);
            assert_true(next.tip <= cap.tip);
            assert_true(last.tip == 0 || next.tip - last.tip >= last.tip / 8);
            last = next;
        }
    }
}

static void test_bump(void **state)
{
    const struct fee_cap cap = {100, 50};
    const struct fees last = {80, 16};
    struct fees next = {7, 7};

    (void)state;
    assert_int_equal(fees_bump(&last, &(struct fees){85, 17}, &cap, &next, &err), E_OK);
    assert_int_equal(next.max_fee, 90);
    assert_int_equal(next.tip, 18);
    assert_int_equal(fees_bump(&last, &(struct fees){95, 40}, &cap, &next, &err), E_OK);
    assert_int_equal(next.max_fee, 95);
    assert_int_equal(next.tip, 40);
    assert_int_equal(fees_bump(&(struct fees){89, 16}, &last, &cap, &next, &err), E_RANGE);
    assert_int_equal(fees_bump(&(struct fees){50, 45}, &last, &cap, &next, &err), E_RANGE);
    assert_int_equal(next.max_fee, 95); /* untouched */
    /* A legacy price has no tip. */
    assert_int_equal(fees_bump(&(struct fees){80, 0}, &(struct fees){1, 0}, &cap, &next, &err),
                     E_OK);
    assert_int_equal(next.tip, 0);
}

static void test_cost(void **state)
{
    struct wei cost;
    struct wei want;

    (void)state;
    assert_int_equal(fees_cost(&(struct fees){.max_fee = UINT64_MAX}, UINT64_MAX, &cost, &err),
                     E_OK);
    assert_true(wei_parse(text_of("340282366920938463426481119284349108225"), &want));
    assert_int_equal(wei_cmp(cost, want), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_bump),
        cmocka_unit_test(test_cost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
