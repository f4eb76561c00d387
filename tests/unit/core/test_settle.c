/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "core/settle.h"

static struct wei wei(const char *s)
{
    struct wei w;

    assert_true(wei_parse(text_of(s), &w));
    return w;
}

static void test_units_are_floors_and_dust_is_carried(void **state)
{
    struct arena *a = arena_new();
    struct settle_batch b;
    struct settle_item item = {.id = 7, .before = wei("0"), .now = wei("1999999999999")};

    (void)state;
    assert_int_equal(settle_build(&item, 1, a, &b, NULL), E_OK);
    assert_int_equal(b.n, 1);
    assert_true(b.increase == 1);
    assert_true(entry_decode(b.entries.p).units == 1);
    /* one wei more completes the second unit: nothing was lost */
    item.before = item.now;
    item.now = wei("2000000000000");
    assert_int_equal(settle_build(&item, 1, a, &b, NULL), E_OK);
    assert_true(b.increase == 1);
    assert_true(entry_decode(b.entries.p).units == 2);
    /* dust alone is no entry */
    item.before = item.now;
    item.now = wei("2999999999999");
    assert_int_equal(settle_build(&item, 1, a, &b, NULL), E_OK);
    assert_int_equal(b.n, 0);
    assert_true(b.increase == 0);
    arena_free(a);
}

static void test_entries_are_sorted_and_only_earned_counts(void **state)
{
    struct arena *a = arena_new();
    struct settle_batch b;
    const struct settle_item items[] = {
        {9, false, wei("0"), wei("5000000000000")},
        {2, true, wei("1000000000000"), wei("4000000000000")},
        {2, false, wei("1000000000000"), wei("3000000000000")},
        {5, false, wei("6000000000000"), wei("6000000000000")},
    };
    static const uint8_t want[] = {0,    0, 0, 2, 0, 0, 0, 0, 0, 3, /* 2 earned */
                                   0x80, 0, 0, 2, 0, 0, 0, 0, 0, 4, /* 2 spent */
                                   0,    0, 0, 9, 0, 0, 0, 0, 0, 5};
    struct digest root;

    (void)state;
    assert_int_equal(settle_build(items, ARRAY_LEN(items), a, &b, NULL), E_OK);
    assert_int_equal(b.n, 3);
    assert_true(b.increase == 7); /* 5 + 2; the spent counter moves no coins */
    assert_int_equal(b.entries.n, sizeof(want));
    assert_memory_equal(b.entries.p, want, sizeof(want));
    assert_int_equal(entries_root(b.entries, &root, NULL), E_OK);
    assert_memory_equal(root.b, b.root.b, 32);
    arena_free(a);
}

static void test_what_cannot_be_settled(void **state)
{
    struct arena *a = arena_new();
    struct settle_batch b = {.n = 77};
    struct settle_item twice[] = {{1, false, wei("0"), wei("1000000000000")},
                                  {1, false, wei("0"), wei("1000000000000")}};
    struct settle_item one = {1, false, wei("2"), wei("1")};

    (void)state;
    assert_int_equal(settle_build(&one, 1, a, &b, NULL), E_INTERNAL); /* falls */
    assert_int_equal(settle_build(twice, 2, a, &b, NULL), E_INTERNAL);
    one = (struct settle_item){0, false, wei("0"), wei("1000000000000")};
    assert_int_equal(settle_build(&one, 1, a, &b, NULL), E_RANGE);
    one.id = ENTRY_ID_MAX;
    assert_int_equal(settle_build(&one, 1, a, &b, NULL), E_OK);
    one.id = ENTRY_ID_MAX + 1;
    b.n = 77;
    assert_int_equal(settle_build(&one, 1, a, &b, NULL), E_RANGE);
    one = (struct settle_item){1, false, wei("0"), wei("281474976710656000000000000")};
    assert_int_equal(settle_build(&one, 1, a, &b, NULL), E_RANGE); /* 2^48 units */
    assert_int_equal(b.n, 77);
    assert_int_equal(settle_build(NULL, 0, a, &b, NULL), E_OK);
    assert_int_equal(b.n, 0);
    arena_free(a);
}

static void test_places(void **state)
{
    struct arena *a = arena_new();
    struct settle_item items[40];
    struct settle_batch b;
    struct settle_place at;

    (void)state;
    for (uint32_t i = 0; i < 40; i++)
        items[i] = (struct settle_item){100 - i, false, wei("0"), wei_from_units(1000 + i)};
    assert_int_equal(settle_build(items, 40, a, &b, NULL), E_OK);
    for (uint32_t i = 0; i < 40; i++) {
        uint8_t chunk[CHUNK_SIZE];

        assert_int_equal(settle_find(b.entries, 100 - i, false, &at, NULL), E_OK);
        assert_int_equal(at.position, 39 - i);
        assert_int_equal(at.chunk, (39 - i) / 16);
        assert_int_equal(at.index, (39 - i) % 16);
        assert_true(at.entry.units == 1000 + i);
        entries_chunk(b.entries, at.chunk, chunk);
        assert_true(entry_decode(chunk + at.index * ENTRY_SIZE).id == 100 - i);
    }
    assert_int_equal(settle_find(b.entries, 100, true, &at, NULL), E_PROOF_NOT_FOUND);
    assert_int_equal(settle_find(b.entries, 0, false, &at, NULL), E_PROOF_NOT_FOUND);
    arena_free(a);
}

static void test_the_last_chunk_is_filled_with_zeros(void **state)
{
    struct arena *a = arena_new();
    struct settle_batch b;
    struct settle_item items[17];
    uint8_t chunk[CHUNK_SIZE];
    uint8_t zeros[CHUNK_SIZE - ENTRY_SIZE] = {0};

    (void)state;
    for (uint32_t i = 0; i < 17; i++)
        items[i] = (struct settle_item){i + 1, false, wei("0"), wei_from_units(1)};
    assert_int_equal(settle_build(items, 17, a, &b, NULL), E_OK);
    assert_int_equal(entries_chunks(b.entries.n), 2);
    memset(chunk, 0xff, sizeof(chunk));
    entries_chunk(b.entries, 1, chunk);
    assert_memory_equal(chunk + ENTRY_SIZE, zeros, sizeof(zeros));
    assert_int_equal(entries_chunks(0), 0);
    assert_int_equal(entries_chunks(10), 1);
    assert_int_equal(entries_chunks(160), 1);
    assert_int_equal(entries_chunks(170), 2);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units_are_floors_and_dust_is_carried),
        cmocka_unit_test(test_entries_are_sorted_and_only_earned_counts),
        cmocka_unit_test(test_what_cannot_be_settled),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_the_last_chunk_is_filled_with_zeros),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
