/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "eth/entries.h"
#include "verify/growth.h"

#define MOST ENTRY_UNITS_MAX

/* Adds a batch of these entries. @by gets the growth */
static enum err_code add(struct growth *g, const struct entry *entries, size_t n, uint64_t by[2])
{
    struct buf bytes = {0};
    enum err_code rc = E_OK;

    for (size_t i = 0; i < n && rc == E_OK; i++)
        rc = entry_encode(entries[i], &bytes, NULL);
    assert_int_equal(rc, E_OK);
    rc = growth_add(g, bytes_of(bytes.p, bytes.n), by, NULL);
    buf_done(&bytes);
    return rc;
}

static void expect(struct growth *g, const struct entry *entries, size_t n, uint64_t earned,
                   uint64_t spent)
{
    uint64_t by[2] = {99, 99};

    assert_int_equal(add(g, entries, n, by), E_OK);
    assert_int_equal(by[0], earned);
    assert_int_equal(by[1], spent);
}

static void test_a_counter_grows_by_what_is_above_its_highest(void **state)
{
    struct growth g = {.n = 0};

    (void)state;
    expect(&g, (const struct entry[]){{1, false, 10}, {2, false, 5}, {1, true, 7}}, 3, 15, 7);
    expect(&g, (const struct entry[]){{1, false, 12}, {2, false, 4}, {1, true, 7}}, 3, 2, 0);
    /* What was lower meanwhile is not counted twice. */
    expect(&g, (const struct entry[]){{2, false, 6}}, 1, 1, 0);
    /* The same id twice in a batch: the higher figure, once. */
    expect(&g, (const struct entry[]){{3, false, 4}, {3, false, 9}, {3, false, 9}}, 3, 9, 0);
    assert_int_equal(g.sum[0], 12 + 6 + 9);
    assert_int_equal(g.sum[1], 7);
    growth_done(&g);
    assert_null(g.best[0]);
    assert_int_equal(g.n, 0);
}

static void test_ids_of_any_size_and_padding(void **state)
{
    const uint8_t padding[2 * ENTRY_SIZE] = {0};
    struct growth g = {.n = 0};
    uint64_t by[2] = {99, 99};

    (void)state;
    assert_int_equal(growth_add(&g, bytes_of(padding, sizeof(padding)), by, NULL), E_OK);
    assert_int_equal(by[0] + by[1], 0);
    /* The first id of each doubling, and the last before it. */
    expect(&g, (const struct entry[]){{1023, false, 1}, {1024, false, 2}, {2048, true, 4}}, 3, 3,
           4);
    expect(&g, (const struct entry[]){{1023, false, 1}, {1024, false, 3}, {65535, false, 8}}, 3, 9,
           0);
    assert_int_equal(g.best[0][1024], 3);
    assert_int_equal(g.best[1][2048], 4);
    assert_int_equal(g.best[1][65535], 0);
    growth_done(&g);
}

static void test_what_the_contract_would_not_take_is_refused_and_counts_nothing(void **state)
{
    const uint8_t bytes[ENTRY_SIZE + 1] = {0};
    struct growth g = {.n = 0};
    uint64_t by[2] = {99, 99};

    (void)state;
    assert_int_equal(growth_add(&g, bytes_of(bytes, 0), by, NULL), E_RANGE);
    assert_int_equal(growth_add(&g, bytes_of(bytes, sizeof(bytes)), by, NULL), E_RANGE);
    assert_int_equal(growth_add(&g, bytes_of(bytes, ENTRY_SIZE - 1), by, NULL), E_RANGE);
    assert_int_equal(by[0], 99);
    assert_int_equal(g.sum[0], 0);
    growth_done(&g);
}

static void test_a_sum_beyond_64_bits_is_an_error_and_no_small_number(void **state)
{
    struct growth g = {.n = 0};
    static struct entry most[65536];
    uint64_t by[2];

    (void)state;
    for (uint32_t i = 0; i < ARRAY_LEN(most); i++)
        most[i] = (struct entry){i + 1, false, MOST};
    /* 2^16 ids of 2^48 - 1 units are 2^64 - 2^16. */
    expect(&g, most, ARRAY_LEN(most), UINT64_MAX - 65535, 0);
    expect(&g, (const struct entry[]){{70000, false, 65535}}, 1, 65535, 0);
    assert_int_equal(g.sum[0], UINT64_MAX);
    assert_int_equal(add(&g, (const struct entry[]){{70001, false, 1}}, 1, by), E_RANGE);
    growth_done(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_counter_grows_by_what_is_above_its_highest),
        cmocka_unit_test(test_ids_of_any_size_and_padding),
        cmocka_unit_test(test_what_the_contract_would_not_take_is_refused_and_counts_nothing),
        cmocka_unit_test(test_a_sum_beyond_64_bits_is_an_error_and_no_small_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
