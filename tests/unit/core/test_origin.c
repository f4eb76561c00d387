/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "core/origin.h"

static const struct address at = {{0x33, 0x40, 0x56, 0x2a, 0x09, 0x16, 0xa7, 0x07, 0x33, 0x89,
                                   0x3d, 0x56, 0x1c, 0x48, 0x40, 0x18, 0xd7, 0x1d, 0x53, 0xda}};

/* Ids are kept by clients: a changed rule would break every one of them. */
static void test_ids_stay_what_they_are(void **state)
{
    char text[ID_TEXT_MAX];

    (void)state;
    id_format(ID_SOURCE, origin_chain_id(ID_SOURCE, 31337, at), text);
    assert_string_equal(text, "src_0ebn2b3tefgv28v1ppv2mqnghh");
}

static void test_kind_chain_and_address_all_count(void **state)
{
    struct uuid id = origin_chain_id(ID_SOURCE, 1071, at);
    struct address other = at;

    (void)state;
    other.b[19] ^= 1;
    assert_true(uuid_eq(id, origin_chain_id(ID_SOURCE, 1071, at)));
    assert_false(uuid_eq(id, origin_chain_id(ID_TASK, 1071, at)));
    assert_false(uuid_eq(id, origin_chain_id(ID_SOURCE, 1072, at)));
    assert_false(uuid_eq(id, origin_chain_id(ID_SOURCE, 1071 + (1ULL << 32), at)));
    assert_false(uuid_eq(id, origin_chain_id(ID_SOURCE, 1071, other)));
}

static void test_ours_and_theirs_are_told_apart(void **state)
{
    uint8_t random[10];

    (void)state;
    for (int i = 0; i < 256; i++) {
        struct address a = at;

        memset(random, i, sizeof(random));
        a.b[0] = (uint8_t)i;
        assert_false(origin_is_chain(id_make(1795370400123 + i, random)));
        assert_true(origin_is_chain(origin_chain_id(ID_TASK, 200820172034, a)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_stay_what_they_are),
        cmocka_unit_test(test_kind_chain_and_address_all_count),
        cmocka_unit_test(test_ours_and_theirs_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
