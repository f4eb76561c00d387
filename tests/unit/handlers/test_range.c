/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "handlers/range.h"
#include "lib/err.h"

static const struct {
    const char *value;
    int64_t size;
    enum range_kind kind;
    int64_t first;
    int64_t length;
} rows[] = {
    {NULL, 10, RANGE_WHOLE, 0, 10},
    {"bytes=0-0", 10, RANGE_PART, 0, 1},
    {"bytes=0-9", 10, RANGE_PART, 0, 10},
    {"bytes=2-5", 10, RANGE_PART, 2, 4},
    {"bytes=5-", 10, RANGE_PART, 5, 5},
    {"bytes=5-99", 10, RANGE_PART, 5, 5},
    {"bytes=-3", 10, RANGE_PART, 7, 3},
    {"bytes=-99", 10, RANGE_PART, 0, 10},
    {"BYTES=1-1", 10, RANGE_PART, 1, 1},
    {"bytes=9-", 10, RANGE_PART, 9, 1},
    {"bytes=0-99999999999999999999999", 10, RANGE_PART, 0, 10},
    {"bytes=10-", 10, RANGE_BEYOND, 0, 0},
    {"bytes=99999999999999999999999-", 10, RANGE_BEYOND, 0, 0},
    {"bytes=-0", 10, RANGE_BEYOND, 0, 0},
    {"bytes=0-", 0, RANGE_BEYOND, 0, 0},
    {"bytes=-1", 0, RANGE_BEYOND, 0, 0},
    /* Malformed, another unit, several: as if it were not there. */
    {"bytes=5-2", 10, RANGE_WHOLE, 0, 10},
    {"bytes=", 10, RANGE_WHOLE, 0, 10},
    {"bytes=-", 10, RANGE_WHOLE, 0, 10},
    {"bytes=1", 10, RANGE_WHOLE, 0, 10},
    {"bytes=a-b", 10, RANGE_WHOLE, 0, 10},
    {"bytes=1-2x", 10, RANGE_WHOLE, 0, 10},
    {"bytes=0-1,3-4", 10, RANGE_WHOLE, 0, 10},
    {"bytes= 1-2", 10, RANGE_WHOLE, 0, 10},
    {"items=1-2", 10, RANGE_WHOLE, 0, 10},
};

static void test_ranges(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct range r;

        assert_int_equal(range_read(text_of(rows[i].value), rows[i].size, &r), rows[i].kind);
        if (rows[i].kind == RANGE_BEYOND)
            continue;
        assert_int_equal(r.first, rows[i].first);
        assert_int_equal(r.length, rows[i].length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ranges)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
