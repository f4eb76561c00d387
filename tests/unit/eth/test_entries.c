/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "eth/entries.h"

/* n entries of descending ids 100, 99, … with units 1000, 1001, … */
static struct buf batch(uint32_t n)
{
    struct buf b = {0};

    for (uint32_t i = 0; i < n; i++)
        assert_int_equal(entry_encode((struct entry){100 - i, false, 1000 + i}, &b, NULL), E_OK);
    return b;
}

static void test_entries_come_back(void **state)
{
    const struct entry good[] = {
        {1, false, 0}, {ENTRY_ID_MAX, true, ENTRY_UNITS_MAX}, {7, true, 1}};
    const struct entry bad[] = {
        {0, false, 1}, {ENTRY_ID_MAX + 1, false, 1}, {1, false, ENTRY_UNITS_MAX + 1}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct buf b = {0};
        struct entry e;

        assert_int_equal(entry_encode(good[i], &b, NULL), E_OK);
        assert_int_equal(b.n, ENTRY_SIZE);
        e = entry_decode(b.p);
        assert_true(e.id == good[i].id && e.spent == good[i].spent && e.units == good[i].units);
        buf_done(&b);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct buf b = {0};

        assert_int_equal(entry_encode(bad[i], &b, NULL), E_RANGE);
        assert_int_equal(b.n, 0);
    }
}

static void test_places(void **state)
{
    struct buf b = batch(40);
    struct bytes entries = bytes_of(b.p, b.n);
    struct entry_place at;

    (void)state;
    for (uint32_t i = 0; i < 40; i++) {
        uint8_t chunk[CHUNK_SIZE];

        assert_int_equal(entries_find(entries, 100 - i, false, &at, NULL), E_OK);
        assert_int_equal(at.position, i);
        assert_int_equal(at.chunk, i / 16);
        assert_int_equal(at.index, i % 16);
        assert_true(at.entry.units == 1000 + i);
        entries_chunk(entries, at.chunk, chunk);
        assert_true(entry_decode(chunk + at.index * ENTRY_SIZE).id == 100 - i);
    }
    assert_int_equal(entries_find(entries, 100, true, &at, NULL), E_PROOF_NOT_FOUND);
    assert_int_equal(entries_find(entries, 0, false, &at, NULL), E_PROOF_NOT_FOUND);
    buf_done(&b);
}

static void test_the_last_chunk_is_filled_with_zeros(void **state)
{
    struct buf b = batch(17);
    uint8_t chunk[CHUNK_SIZE];
    uint8_t zeros[CHUNK_SIZE - ENTRY_SIZE] = {0};

    (void)state;
    assert_int_equal(entries_chunks(b.n), 2);
    memset(chunk, 0xff, sizeof(chunk));
    entries_chunk(bytes_of(b.p, b.n), 1, chunk);
    assert_memory_equal(chunk + ENTRY_SIZE, zeros, sizeof(zeros));
    assert_int_equal(entries_chunks(0), 0);
    assert_int_equal(entries_chunks(10), 1);
    assert_int_equal(entries_chunks(160), 1);
    assert_int_equal(entries_chunks(170), 2);
    buf_done(&b);
}

static void test_what_has_no_root(void **state)
{
    struct digest root;
    const uint8_t ragged[11] = {0};

    (void)state;
    assert_int_equal(entries_root(bytes_of(ragged, 0), &root, NULL), E_RANGE);
    assert_int_equal(entries_root(bytes_of(ragged, 11), &root, NULL), E_RANGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries_come_back),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_the_last_chunk_is_filled_with_zeros),
        cmocka_unit_test(test_what_has_no_root),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
