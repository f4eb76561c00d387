/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/id.h"
#include "lib/hex.h"

/* The valid vectors of the TypeID specification v0.3 (without their prefixes); nil is nobody's
 * here. */
static const struct {
    const char *hex;
    const char *base32;
} vectors[] = {
    {"00000000000000000000000000000001", "00000000000000000000000001"},
    {"0000000000000000000000000000000a", "0000000000000000000000000a"},
    {"00000000000000000000000000000010", "0000000000000000000000000g"},
    {"00000000000000000000000000000020", "00000000000000000000000010"},
    {"ffffffffffffffffffffffffffffffff", "7zzzzzzzzzzzzzzzzzzzzzzzzz"},
    {"0110c8531d0952d8d73e1194e95b5f19", "0123456789abcdefghjkmnpqrs"},
    {"01890a5dac96774bbcceb302099a8057", "01h455vb4pex5vsknk084sn02q"},
};

static void test_known_vectors_both_ways(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        struct uuid u = {{0}};
        struct uuid back;
        char want[ID_TEXT_MAX];
        char got[ID_TEXT_MAX];

        assert_true(hex_decode(vectors[i].hex, 32, u.b, 16));
        snprintf(want, sizeof(want), "tsk_%s", vectors[i].base32);
        id_format(ID_TASK, u, got);
        assert_string_equal(got, want);
        assert_true(id_parse(ID_TASK, text_of(want), &back));
        assert_true(uuid_eq(u, back));
    }
}

static void test_every_kind_reads_only_its_own(void **state)
{
    struct uuid u = {{1, 2, 3}};

    (void)state;
    for (int k = 0; k < ID_KIND_COUNT; k++) {
        char text[ID_TEXT_MAX];

        id_format((enum id_kind)k, u, text);
        assert_int_equal(strlen(id_prefix((enum id_kind)k)), 3);
        for (int j = 0; j < ID_KIND_COUNT; j++) {
            struct uuid back = {{0}};

            assert_int_equal(id_parse((enum id_kind)j, text_of(text), &back), j == k);
            assert_int_equal(uuid_eq(u, back), j == k);
        }
    }
}

static void test_bad_text_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "tsk",
        "tsk_",
        "tsk_00000000000000000000000000", /* nil */
        "tsk_80000000000000000000000000", /* overflow */
        "tsk_zzzzzzzzzzzzzzzzzzzzzzzzzz",
        "tsk_0000000000000000000000000",   /* 25 */
        "tsk_000000000000000000000000000", /* 27 */
        "tsk_0000000000000000000000000u",  /* not in the alphabet */
        "tsk_0000000000000000000000000i",
        "tsk_0000000000000000000000000A",
        "TSK_00000000000000000000000000",
        "tsk-00000000000000000000000000",
        "00000000000000000000000000",
        "tsk_0000000000000000000000000 ",
    };
    struct uuid u = {{9}};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(id_parse(ID_TASK, text_of(bad[i]), &u));
    assert_false(id_parse(ID_TASK, (struct text){NULL, 0}, &u));
    assert_false(id_parse(ID_TASK, (struct text){"tsk_0000000000000000000000000\0", 30}, &u));
    assert_int_equal(u.b[0], 9);
}

static void test_made_ids_are_version_7_and_sort_by_time(void **state)
{
    uint8_t ones[10];
    uint8_t zeros[10] = {0};
    char early[ID_TEXT_MAX];
    char late[ID_TEXT_MAX];
    struct uuid u;

    (void)state;
    memset(ones, 0xff, sizeof(ones));
    u = id_make(0x0123456789ab, ones);
    assert_int_equal(u.b[0], 0x01);
    assert_int_equal(u.b[5], 0xab);
    assert_int_equal(u.b[6] >> 4, 7);
    assert_int_equal(u.b[8] >> 6, 2);
    id_format(ID_TASK, u, early);
    u = id_make(0x0123456789ac, zeros);
    assert_int_equal(u.b[6], 0x70);
    assert_int_equal(u.b[8], 0x80);
    id_format(ID_TASK, u, late);
    assert_true(strcmp(early, late) < 0);
}

static void test_random_round_trips(void **state)
{
    (void)state;
    srand(2);
    for (int round = 0; round < 2000; round++) {
        struct uuid u;
        struct uuid back;
        char text[ID_TEXT_MAX];

        for (int i = 0; i < 16; i++)
            u.b[i] = (uint8_t)rand();
        id_format(ID_BATCH, u, text);
        assert_true(id_parse(ID_BATCH, text_of(text), &back));
        assert_true(uuid_eq(u, back));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_vectors_both_ways),
        cmocka_unit_test(test_every_kind_reads_only_its_own),
        cmocka_unit_test(test_bad_text_is_refused),
        cmocka_unit_test(test_made_ids_are_version_7_and_sort_by_time),
        cmocka_unit_test(test_random_round_trips),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
