/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/outputs.h"
#include "lib/hash.h"

#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define TILE \
    "{\"name\":\"tile.png\",\"media_type\":\"image/png\",\"size\":4096,\"sha256\":\"" HEX "\"}"

static enum err_code read_text(const char *s, int64_t files, int64_t bytes, struct outputs *out)
{
    struct err err = {.code = E_OK};
    json_t *v;
    enum err_code rc;

    assert_int_equal(json_parse(s, strlen(s), &v, &err), E_OK);
    rc = outputs_read(v, files, bytes, out, &err);
    json_decref(v);
    if (rc != E_OK)
        assert_true(strlen(err.text) > 0);
    return rc;
}

static void test_a_list(void **state)
{
    /* members out of order on purpose: the signed text has them sorted */
    static const char list[] =
        "[{\"size\":1,\"name\":\"b\",\"sha256\":\"" HEX "\",\"media_type\":\"a/b\"}," TILE "]";
    struct arena *a = arena_new();
    struct outputs o;
    struct digest d;
    struct digest want;
    struct text text;
    struct err err;
    json_t *v;

    (void)state;
    assert_int_equal(json_parse(list, strlen(list), &v, &err), E_OK);
    assert_int_equal(outputs_read(v, 2, 4097, &o, NULL), E_OK);
    assert_int_equal(o.n, 2);
    assert_int_equal(o.total, 4097);
    assert_true(text_is(o.items[1].name, "tile.png"));
    assert_int_equal(o.items[1].sha256.b[1], 0x11);
    assert_int_equal(outputs_canonical(&o, a, &text, &d, NULL), E_OK);
    assert_string_equal(
        text.s, "[{\"media_type\":\"a/b\",\"name\":\"b\",\"sha256\":\"" HEX "\",\"size\":1},"
                "{\"media_type\":\"image/png\",\"name\":\"tile.png\",\"sha256\":\"" HEX
                "\",\"size\":4096}]");
    want = sha256(text.s, text.n);
    assert_memory_equal(d.b, want.b, 32);
    json_decref(v);
    arena_free(a);
}

static void test_limits(void **state)
{
    struct outputs o = {.n = 77};

    (void)state;
    assert_int_equal(read_text("[" TILE "]", 1, 4096, &o), E_OK);
    o.n = 77;
    assert_int_equal(read_text("[" TILE "]", 1, 4095, &o), E_VALIDATION);
    assert_int_equal(read_text("[" TILE "]", 0, 4096, &o), E_VALIDATION);
    assert_int_equal(read_text("[" TILE "," TILE "]", 2, 99999, &o), E_VALIDATION); /* one name */
    assert_int_equal(read_text("[]", 4, 4096, &o), E_VALIDATION);
    assert_int_equal(read_text("{}", 4, 4096, &o), E_VALIDATION);
    assert_int_equal(outputs_read(NULL, 4, 4096, &o, NULL), E_VALIDATION);
    assert_int_equal(o.n, 77);
}

static void test_count_is_bounded_by_our_own_array(void **state)
{
    json_t *list = json_array();
    struct outputs o;

    (void)state;
    for (int i = 0; i <= OUTPUTS_MAX; i++) {
        char name[16];

        snprintf(name, sizeof(name), "f%d", i);
        json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:s}", "name", name, "media_type",
                                              "a/b", "size", 1, "sha256", HEX));
        assert_int_equal(outputs_read(list, 1000, 1000, &o, NULL),
                         i < OUTPUTS_MAX ? E_OK : E_VALIDATION);
    }
    json_decref(list);
}

static void test_names(void **state)
{
    static const char *const good[] = {"a", "_", "0", "tile.png", "a..b", "A-Z_9.tar.gz"};
    static const char *const bad[] = {"",    ".",   "..", ".a",    "-a",  "a/b", "a\\b",
                                      "a b", "a\n", "é",  "a\x7f", "a:b", "~",   "a*"};
    char name[OUTPUT_NAME_MAX + 2];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(output_name_ok(text_of(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (output_name_ok(text_of(bad[i])))
            fail_msg("'%s' was accepted", bad[i]);
    assert_false(output_name_ok((struct text){NULL, 0}));
    assert_false(output_name_ok((struct text){"a\0b", 3}));
    memset(name, 'a', sizeof(name));
    assert_true(output_name_ok((struct text){name, OUTPUT_NAME_MAX}));
    assert_false(output_name_ok((struct text){name, OUTPUT_NAME_MAX + 1}));
}

static void test_bad_members(void **state)
{
    static const char *const bad[] = {
        "{\"name\":\"a\",\"media_type\":\"a/b\",\"size\":1}",
        "{\"name\":\"a\",\"media_type\":\"a/b\",\"size\":1,\"sha256\":\"" HEX "\",\"x\":1}",
        "{\"name\":\"../a\",\"media_type\":\"a/b\",\"size\":1,\"sha256\":\"" HEX "\"}",
        "{\"name\":1,\"media_type\":\"a/b\",\"size\":1,\"sha256\":\"" HEX "\"}",
        "{\"name\":\"a\",\"media_type\":\"ab\",\"size\":1,\"sha256\":\"" HEX "\"}",
        "{\"name\":\"a\",\"media_type\":\"a/\",\"size\":1,\"sha256\":\"" HEX "\"}",
        "{\"name\":\"a\",\"media_type\":\"/ab\",\"size\":1,\"sha256\":\"" HEX "\"}",
        "{\"name\":\"a\",\"media_type\":\"a/b/c\",\"size\":1,\"sha256\":\"" HEX "\"}",
        "{\"name\":\"a\",\"media_type\":\"A/b\",\"size\":1,\"sha256\":\"" HEX "\"}",
        "{\"name\":\"a\",\"media_type\":\"a/b; q\",\"size\":1,\"sha256\":\"" HEX "\"}",
        "{\"name\":\"a\",\"media_type\":\"a/-b\",\"size\":1,\"sha256\":\"" HEX "\"}",
        "{\"name\":\"a\",\"media_type\":\"a/b\",\"size\":-1,\"sha256\":\"" HEX "\"}",
        "{\"name\":\"a\",\"media_type\":\"a/b\",\"size\":1.5,\"sha256\":\"" HEX "\"}",
        "{\"name\":\"a\",\"media_type\":\"a/b\",\"size\":\"1\",\"sha256\":\"" HEX "\"}",
        "{\"name\":\"a\",\"media_type\":\"a/b\",\"size\":1099511627777,\"sha256\":\"" HEX "\"}",
        "{\"name\":\"a\",\"media_type\":\"a/b\",\"size\":1,\"sha256\":\"0x" HEX "\"}",
        "{\"name\":\"a\",\"media_type\":\"a/b\",\"size\":1,\"sha256\":\"00\"}",
        "{\"name\":\"a\",\"media_type\":\"a/b\",\"size\":1,\"sha256\":"
        "\"00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff\"}",
        "null",
        "[]",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct outputs o;
        char text[512];

        snprintf(text, sizeof(text), "[%s]", bad[i]);
        if (read_text(text, 64, INT64_MAX, &o) != E_VALIDATION)
            fail_msg("%s was accepted", text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_list),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_count_is_bounded_by_our_own_array),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_bad_members),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
