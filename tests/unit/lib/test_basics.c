/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/hex.h"
#include "lib/utf8.h"

static void test_error_registry(void **state)
{
    (void)state;
    assert_int_equal(E_OK, 0);
    for (int i = 0; i < E_COUNT; i++) {
        const struct err_info *info = err_info((enum err_code)i);

        assert_non_null(info->name);
        assert_int_equal(err_by_word(info->word, strlen(info->word)), i); /* words are unique */
        assert_true(i == 0 || info->http >= 400);
        assert_true(info->blame != BLAME_SELF || info->http == 500);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(info->wire, err_info((enum err_code)k)->wire);
    }
    assert_int_equal(err_by_word("no_such_word", 12), E_INTERNAL);
    assert_int_equal(err_by_word("okay", 2), E_OK); /* the length counts, not a NUL */
    assert_string_equal(err_info((enum err_code) - 1)->name, "E_INTERNAL");
    assert_string_equal(err_info(E_COUNT)->name, "E_INTERNAL");
}

static void test_error_text_is_cut_not_overrun(void **state)
{
    char big[400];
    struct err err;

    (void)state;
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    assert_int_equal(err_set(&err, E_QUOTA, "%s", big), E_QUOTA);
    assert_int_equal(err.code, E_QUOTA);
    assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
    assert_non_null(strstr(err.file, "test_basics.c"));
    assert_int_equal(err_set(NULL, E_QUOTA, "nobody asks"), E_QUOTA);
    err_set(&err, E_QUOTA, "no room");
    err_set(&err, E_QUOTA, "cannot go on: %.100s", err.text);
    assert_string_equal(err.text, "cannot go on: no room");
}

static void test_arena(void **state)
{
    struct arena *a = arena_new();
    unsigned char *last = NULL;

    (void)state;
    for (size_t n = 0; n < 5000; n = n * 2 + 1) {
        unsigned char *p = arena_alloc(a, n);

        assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
        assert_ptr_not_equal(p, last);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xee, n);
        last = n > 0 ? p : last;
    }
    last = arena_alloc(a, 3000000); /* larger than any block step */
    memset(last, 1, 3000000);
    assert_string_equal(arena_copy(a, "abcdef", 3), "abc");
    assert_string_equal(arena_printf(a, "%d-%s", 7, "x"), "7-x");
    assert_null(arena_text(a, (struct text){NULL, 0}).s);
    assert_non_null(arena_text(a, (struct text){"", 0}).s); /* empty is a value */
    assert_null(arena_bytes(a, bytes_of(NULL, 0)).p);
    assert_int_equal(arena_bytes(a, bytes_of("a\0b", 3)).p[2], 'b');
    arena_reset(a);
    last = arena_alloc(a, 64); /* dirty memory comes back zeroed */
    for (int i = 0; i < 64; i++)
        assert_int_equal(last[i], 0);
    arena_free(a);
    arena_free(NULL);
}

static void test_buf(void **state)
{
    struct buf b = {.cap = 10};
    struct err err;

    (void)state;
    assert_int_equal(buf_add(&b, "12345", 5, &err), E_OK);
    assert_int_equal(buf_add(&b, "678901", 6, &err), E_TOO_LARGE);
    assert_int_equal(b.n, 5);
    assert_int_equal(buf_printf(&b, &err, "%05d", 7), E_OK);
    assert_memory_equal(b.p, "1234500007", 10);
    assert_int_equal(buf_printf(&b, &err, "x"), E_TOO_LARGE);
    assert_int_equal(buf_add(&b, "x", SIZE_MAX, &err), E_TOO_LARGE);
    assert_int_equal(buf_add(&b, NULL, 0, &err), E_OK);
    assert_int_equal(b.n, 10);
    buf_done(&b);
    b.cap = 0;
    for (int i = 0; i < 10000; i++)
        assert_int_equal(buf_printf(&b, &err, "%d,", i % 10), E_OK);
    assert_int_equal(b.n, 20000);
    assert_int_equal(b.p[19998], '9');
    buf_done(&b);
}

static void test_hex(void **state)
{
    static const char *const bad[] = {"",     "0",        "00112", "001122", "0x0011 ",
                                      "001g", "0x0x0011", "0X001", " 0011"};
    uint8_t out[2] = {9, 9};
    char text[5];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(hex_decode(bad[i], strlen(bad[i]), out, 2));
    assert_int_equal(out[0], 9);
    assert_true(hex_decode("0xaBcD", 6, out, 2));
    hex_encode(out, 2, text);
    assert_string_equal(text, "abcd");
    assert_true(hex_decode("0x", 2, out, 0));
    assert_true(hex_decode("", 0, out, 0));
}

static void test_hashes(void **state)
{
    /* FIPS 180-4 examples */
    static const char want_abc[] =
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    struct sha256_stream *h = sha256_begin();
    struct digest d = sha256("abc", 3);
    char text[65];
    uint8_t a[32];
    uint8_t b[32];

    (void)state;
    hex_encode(d.b, 32, text);
    assert_string_equal(text, want_abc);
    sha256_add(h, "a", 1);
    sha256_add(h, NULL, 0);
    sha256_add(h, "bc", 2);
    d = sha256_end(h);
    hex_encode(d.b, 32, text);
    assert_string_equal(text, want_abc);
    d = sha256(NULL, 0);
    hex_encode(d.b, 32, text);
    assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_true(hash64("", 0) == 0xcbf29ce484222325); /* FNV-1a's own vectors */
    assert_true(hash64("a", 1) == 0xaf63dc4c8601ec8c);
    assert_true(hash64("foobar", 6) == 0x85944171f73967e8);
    random_bytes(a, sizeof(a));
    random_bytes(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    assert_false(bytes_equal_ct(a, b, sizeof(a)));
    memcpy(b, a, sizeof(a));
    assert_true(bytes_equal_ct(a, b, sizeof(a)));
    wipe(a, sizeof(a));
    memset(b, 0, sizeof(b));
    assert_memory_equal(a, b, sizeof(a));
}

static void test_times(void **state)
{
    static const struct {
        int64_t us;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000000Z"},
        {-1, "1969-12-31T23:59:59.999999Z"},
        {1, "1970-01-01T00:00:00.000001Z"},
        {951782400000000, "2000-02-29T00:00:00.000000Z"},
        {253402300799999999, "9999-12-31T23:59:59.999999Z"},
        {INT64_MAX, "9999-12-31T23:59:59.775807Z"},
        {-62167219200000000, "0000-01-01T00:00:00.000000Z"},
    };
    int64_t mono = clock_mono_us();
    char text[RFC3339_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        rfc3339_format(rows[i].us, text);
        assert_string_equal(text, rows[i].text);
    }
    assert_true(clock_mono_us() >= mono);
    assert_true(clock_wall_us() > 1700000000000000);
}

static void test_utf8(void **state)
{
    static const char *const good[] = {"",
                                       "a",
                                       "\xc2\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {
        "\x80",  "\xc1\x81", "\xe0\x80\x80", "\xed\xa0\x80",     "\xf0\x80\x80\x80",
        "\xc2",  "\xe2\x82", "\xf0\x9f\x98", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80",
        "a\xff", "\xc2\x41", "\xe2\x82\x41"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(utf8_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(utf8_valid(bad[i], strlen(bad[i])));
    assert_int_equal(utf8_point("\xf0\x9f\x98\x80", 4), 0x1f600);
    assert_int_equal(utf8_point("\xe2\x82\xac", 3), 0x20ac);
}

static void test_lines(void **state)
{
    static const char *const good[] = {"",
                                       "mandelbrot",
                                       "a b",
                                       "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
                                       "\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d",
                                       "\xe2\x80\x8d"};
    static const char *const bad[] = {"a\nb",
                                      "\t",
                                      "\x1b[2J",
                                      "\x7f",
                                      "\xc2\x85",
                                      "\xe2\x80\xa8",
                                      "\xe2\x80\xaa",
                                      "a\xe2\x80\xae"
                                      "b",
                                      "\xe2\x81\xa6",
                                      "\xe2\x81\xa9",
                                      "\xc0\xaf"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(utf8_line(good[i], strlen(good[i])));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(utf8_line(bad[i], strlen(bad[i])));
    assert_false(utf8_line("a\0b", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_registry),
        cmocka_unit_test(test_error_text_is_cut_not_overrun),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_buf),
        cmocka_unit_test(test_hex),
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
