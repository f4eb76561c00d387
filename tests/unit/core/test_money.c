/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/money.h"

#define MAX_TEXT  "115792089237316195423570985008687907853269984665640564039457584007913129639935"
#define OVER_TEXT "115792089237316195423570985008687907853269984665640564039457584007913129639936"

static struct wei wei(const char *s)
{
    struct wei w;

    assert_true(wei_parse(text_of(s), &w));
    return w;
}

static void expect_text(struct wei w, const char *want)
{
    char text[WEI_TEXT_MAX];

    wei_format(w, text);
    assert_string_equal(text, want);
}

static void test_edges_survive_parse_and_format(void **state)
{
    static const char *const good[] = {"0",
                                       "1",
                                       "9999999999999999999",
                                       "10000000000000000000",
                                       "18446744073709551615",
                                       "18446744073709551616",
                                       "340282366920938463463374607431768211456",
                                       MAX_TEXT};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        expect_text(wei(good[i]), good[i]);
    for (int i = 0; i < 4; i++)
        assert_true(wei(MAX_TEXT).limb[i] == UINT64_MAX);
}

static void test_every_power_of_ten_and_its_neighbours(void **state)
{
    char nines[80] = "";
    char text[80];

    (void)state;
    for (int k = 1; k <= 77; k++) {
        struct wei one = wei_from_u64(1);
        struct wei x;

        snprintf(text, sizeof(text), "1%0*d", k, 0);
        memset(nines, '9', (size_t)k);
        nines[k] = '\0';
        expect_text(wei(text), text);
        expect_text(wei(nines), nines);
        assert_int_equal(wei_add(wei(nines), one, &x, NULL), E_OK);
        expect_text(x, text);
        text[k] = '1';
        assert_int_equal(wei_add(x, one, &x, NULL), E_OK);
        expect_text(x, text);
    }
}

static void test_bad_text_is_refused_and_leaves_the_output(void **state)
{
    static const char *const bad[] = {"",    "00",  "01",   "+1",      "-1",    " 1", "1 ",
                                      "1.0", "1e3", "0x10", OVER_TEXT, "1,000", "١",  MAX_TEXT "0"};
    struct wei w = wei_from_u64(7);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(wei_parse(text_of(bad[i]), &w));
    assert_false(wei_parse((struct text){NULL, 0}, &w));
    assert_false(wei_parse((struct text){"1\0", 2}, &w));
    assert_true(w.limb[0] == 7);
}

static void test_sums_refuse_to_wrap(void **state)
{
    struct wei max = wei(MAX_TEXT);
    struct wei one = wei_from_u64(1);
    struct wei x = wei_from_u64(7);
    struct err err;

    (void)state;
    assert_int_equal(wei_add(max, one, &x, &err), E_RANGE);
    assert_true(x.limb[0] == 7);
    assert_int_equal(wei_add(max, wei("0"), &x, NULL), E_OK);
    assert_int_equal(wei_cmp(x, max), 0);
}

static void test_order(void **state)
{
    (void)state;
    assert_int_equal(wei_cmp(wei("18446744073709551616"), wei("18446744073709551615")), 1);
    assert_int_equal(wei_cmp(wei("1"), wei("18446744073709551616")), -1);
    assert_int_equal(wei_cmp(wei("5"), wei("5")), 0);
}

static void test_units(void **state)
{
    uint64_t u = 7;

    (void)state;
    assert_int_equal(wei_to_units(wei("999999999999"), &u, NULL), E_OK);
    assert_true(u == 0);
    assert_int_equal(wei_to_units(wei("1000000000000"), &u, NULL), E_OK);
    assert_true(u == 1);
    assert_int_equal(wei_to_units(wei("281474976710655999999999999"), &u, NULL), E_OK);
    assert_true(u == 281474976710655);
    assert_int_equal(wei_to_units(wei("281474976710656000000000000"), &u, NULL), E_RANGE);
    assert_int_equal(wei_to_units(wei(MAX_TEXT), &u, NULL), E_RANGE);
    assert_true(u == 281474976710655);
    expect_text(wei_from_units(281474976710655), "281474976710655000000000000");
    expect_text(wei_from_units(UINT64_MAX), "18446744073709551615000000000000");
}

static void test_fee_rounds_down(void **state)
{
    struct wei fee;

    (void)state;
    assert_int_equal(wei_fee(wei("9999"), 1, &fee, NULL), E_OK);
    assert_true(wei_is_zero(fee));
    assert_int_equal(wei_fee(wei("10000"), 1, &fee, NULL), E_OK);
    expect_text(fee, "1");
    assert_int_equal(wei_fee(wei(MAX_TEXT), 10000, &fee, NULL), E_OK);
    expect_text(fee, MAX_TEXT);
    assert_int_equal(wei_fee(wei("5"), 0, &fee, NULL), E_OK);
    assert_true(wei_is_zero(fee));
    assert_int_equal(wei_fee(wei("5"), 10001, &fee, NULL), E_RANGE);
}

static void test_big_endian(void **state)
{
    uint8_t b[32];
    struct wei w = wei("1");

    (void)state;
    wei_to_be(w, b);
    assert_int_equal(b[31], 1);
    assert_int_equal(b[0], 0);
    srand(1);
    for (int round = 0; round < 1000; round++) {
        uint8_t back[32];

        for (int i = 0; i < 32; i++)
            b[i] = (uint8_t)rand();
        wei_to_be(wei_from_be(b), back);
        assert_memory_equal(b, back, 32);
    }
    memset(b, 0, 32);
    b[23] = 1; /* 2^64 */
    expect_text(wei_from_be(b), "18446744073709551616");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges_survive_parse_and_format),
        cmocka_unit_test(test_every_power_of_ten_and_its_neighbours),
        cmocka_unit_test(test_bad_text_is_refused_and_leaves_the_output),
        cmocka_unit_test(test_sums_refuse_to_wrap),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_fee_rounds_down),
        cmocka_unit_test(test_big_endian),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
