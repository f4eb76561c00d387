/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json.h"
#include "lib/json_number.h"

static enum err_code parse(const char *s, struct err *err)
{
    json_t *v = NULL;
    enum err_code rc = json_parse(s, strlen(s), &v, err);

    json_decref(v);
    return rc;
}

static void expect_canonical(const char *in, const char *want)
{
    struct arena *a = arena_new();
    struct text out;
    struct err err;
    json_t *v;

    assert_int_equal(json_parse(in, strlen(in), &v, &err), E_OK);
    assert_int_equal(json_canonical(v, a, &out, &err), E_OK);
    assert_string_equal(out.s, want);
    assert_int_equal(out.n, strlen(want));
    json_decref(v);
    arena_free(a);
}

/* RFC 8785 appendix B: IEEE 754 bits and the number's text. */
static void test_numbers_of_rfc_8785(void **state)
{
    static const struct {
        uint64_t bits;
        const char *text;
    } rows[] = {
        {0x0000000000000000, "0"},
        {0x8000000000000000, "0"},
        {0x0000000000000001, "5e-324"},
        {0x8000000000000001, "-5e-324"},
        {0x7fefffffffffffff, "1.7976931348623157e+308"},
        {0xffefffffffffffff, "-1.7976931348623157e+308"},
        {0x4340000000000000, "9007199254740992"},
        {0xc340000000000000, "-9007199254740992"},
        {0x4430000000000000, "295147905179352830000"},
        {0x44b52d02c7e14af5, "9.999999999999997e+22"},
        {0x44b52d02c7e14af6, "1e+23"},
        {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
        {0x444b1ae4d6e2ef4e, "999999999999999700000"},
        {0x444b1ae4d6e2ef4f, "999999999999999900000"},
        {0x444b1ae4d6e2ef50, "1e+21"},
        {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
        {0x3eb0c6f7a0b5ed8d, "0.000001"},
        {0x41b3de4355555553, "333333333.3333332"},
        {0x41b3de4355555554, "333333333.33333325"},
        {0x41b3de4355555555, "333333333.3333333"},
        {0x41b3de4355555556, "333333333.3333334"},
        {0x41b3de4355555557, "333333333.33333343"},
        {0xbecbf647612f3696, "-0.0000033333333333333333"},
        {0x43143ff3c1cb0959, "1424953923781206.2"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[JSON_NUMBER_MAX];
        double v;

        memcpy(&v, &rows[i].bits, sizeof(v));
        json_number(v, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void test_random_doubles_read_back(void **state)
{
    (void)state;
    srand(3);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = 0;
        char text[JSON_NUMBER_MAX];
        double v;

        for (int k = 0; k < 5; k++)
            bits = bits << 15 | (uint64_t)(rand() & 0x7fff);
        if (i % 4 == 0)
            bits &= 0xfff0000000000000; /* powers of two: the asymmetric gap */
        memcpy(&v, &bits, sizeof(v));
        if (v - v != 0)
            continue; /* infinity or not a number */
        json_number(v, text);
        assert_true(strtod(text, NULL) == v);
    }
}

static void test_canonical_of_rfc_8785(void **state)
{
    (void)state;
    /* 3.2.2 */
    expect_canonical("{\"numbers\": [333333333.33333329, 1E30, 4.50, 2e-3, "
                     "0.000000000000000000000000001],"
                     "\"string\": \"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\","
                     "\"literals\": [null, true, false]}",
                     "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,"
                     "0.002,1e-27],\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
    /* 3.2.3: sorted by UTF-16 code units, so U+1F600 comes before U+FB33 */
    expect_canonical("{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\","
                     "\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\",\"1\":\"One\","
                     "\"\\ud83d\\ude00\":\"Emoji: Grinning Face\",\"\\u0080\":\"Control\","
                     "\"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}",
                     "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xc2\x80\":\"Control\","
                     "\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\","
                     "\"😀\":\"Emoji: Grinning Face\","
                     "\"\xef\xac\xb3\":\"Hebrew Letter Dalet With Dagesh\"}");
    expect_canonical("[56,{\"d\":true,\"10\":null,\"1\":[]}]",
                     "[56,{\"1\":[],\"10\":null,\"d\":true}]");
    expect_canonical("{\"b\":1,\"a\":{},\"\":2,\"aa\":3}", "{\"\":2,\"a\":{},\"aa\":3,\"b\":1}");
    expect_canonical("-0.0", "0");
    expect_canonical("-9007199254740992", "-9007199254740992");
    expect_canonical("\"\\u007f\\b\\t\\f\"", "\"\x7f\\b\\t\\f\"");
}

/* A real that prints as an integer too: what we wrote must read back. */
static void test_canonical_refuses_big_integers(void **state)
{
    static const char *const texts[] = {"[9007199254740993]", "[1e18]", "[-9007199254740994.5]",
                                        "[999999999999999900000.0]"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct arena *a = arena_new();
        struct text out = {NULL, 0};
        struct err err;
        json_t *v;

        assert_int_equal(json_parse(texts[i], strlen(texts[i]), &v, &err), E_OK);
        assert_int_equal(json_canonical(v, a, &out, &err), E_RANGE);
        assert_null(out.s);
        json_decref(v);
        arena_free(a);
    }
}

static void test_bad_json_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        " ",
        "{",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "\"\\u0000\"",
        "[1,]",
        "01",
        "+1",
        ".5",
        "NaN",
        "1 2",
        "\"\\ud800\"",
        "\"\xc0\xaf\"",
        "1e400",
        "nul",
        "[1]x",
        "\xef\xbb\xbf{}",
        "'a'",
        "99999999999999999999",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err;

        assert_int_equal(parse(bad[i], &err), E_BAD_JSON);
        assert_true(strlen(err.text) > 0);
    }
}

static void test_depth_is_bounded(void **state)
{
    char s[64];
    struct err err;

    (void)state;
    for (int depth = 1; depth < 30; depth++) {
        memset(s, '[', (size_t)depth);
        memset(s + depth, ']', (size_t)depth);
        s[2 * depth] = '\0';
        assert_int_equal(parse(s, &err), depth <= JSON_DEPTH_MAX ? E_OK : E_BAD_JSON);
    }
    assert_int_equal(parse("\"[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[[[[[\"", &err), E_OK);
}

static void test_errors_do_not_quote_the_body(void **state)
{
    struct err err;

    (void)state;
    assert_int_equal(parse("{\"key\": hunter2secret}", &err), E_BAD_JSON);
    assert_null(strstr(err.text, "hunter2"));
    assert_non_null(strstr(err.text, "line 1"));
}

static void test_a_reason_is_whole(void **state)
{
    static const struct {
        const char *json, *reason;
    } rows[] = {
        {"{\"a\"", "line 1 column 4: ':' expected"},
        {"{1}", "line 1 column 2: string or '}' expected"},
        {"[1", "line 1 column 2: ']' expected"},
        {"\"\\u0000\"", "line 1 column 8: a text holds a NUL character"},
        {"{\"\\u0000\":1}", "line 1 column 9: NUL byte in object key not supported"},
        {"{\"a\":1,\"a\":2}", "line 1 column 10: duplicate object key"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err;

        assert_int_equal(parse(rows[i].json, &err), E_BAD_JSON);
        assert_string_equal(err.text, rows[i].reason);
    }
}

/* JSON Schema and RFC 8785: what a number is, not how it is spelled. */
static void test_one_rule_for_integers(void **state)
{
    static const struct {
        const char *json;
        bool integer;
    } rows[] = {
        {"64", true},
        {"64.0", true},
        {"6.4e1", true},
        {"640E-1", true},
        {"2.0000000000000001", true}, /* its double is 2 */
        {"-0.0", true},
        {"9007199254740991.0", true},
        {"9007199254740992.0", false}, /* so is that of …993.0 */
        {"64.5", false},
        {"1e300", false},
        {"2.000000000000001", false},
        {"\"64\"", false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[64];
        json_t *v;

        snprintf(text, sizeof(text), "{\"a\":[[%s]]}", rows[i].json);
        assert_int_equal(json_parse(text, strlen(text), &v, NULL), E_OK);
        if (json_is_integer(json_array_get(json_array_get(json_object_get(v, "a"), 0), 0)) !=
            rows[i].integer)
            fail_msg("%s", rows[i].json);
        json_decref(v);
    }
    json_t *top;
    assert_int_equal(json_parse("2e0", 3, &top, NULL), E_OK);
    assert_true(json_is_integer(top));
    json_decref(top);
}

/* Written, read back and compared; and as short as jansson's own compact form. */
static void assert_text_of(const char *json)
{
    struct arena *a = arena_new();
    json_t *v = json_loads(json, JSON_DECODE_ANY, NULL);
    char *theirs = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
    struct text ours = json_text(v, a);
    json_t *back = json_loadb(ours.s, ours.n, JSON_DECODE_ANY, NULL);

    assert_non_null(back);
    assert_true(json_equal(v, back));
    assert_int_equal(ours.n, strlen(theirs));
    assert_int_equal(strlen(ours.s), ours.n);
    json_decref(back);
    free(theirs);
    json_decref(v);
    arena_free(a);
}

static void test_text(void **state)
{
    static const char *const values[] = {
        "{\"k\":[5,true,null]}",
        "[]",
        "{}",
        "\"\"",
        "null",
        "false",
        "[[[[]]],{\"a\":{}}]",
        "[0,-1,9223372036854775807,-9223372036854775808]",
        "[0.5,1.0,-0.0,1e300,1e-300,0.1]",
        "\"quote \\\" backslash \\\\ slash / \\b\\t\\n\\f\\r \\u0001\\u000b\\u001f \\u007f\"",
        "{\"\\\"key\\n\":\"\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80 \\u2028\"}",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        assert_text_of(values[i]);
}

/* Around every size at which the text has to move. */
static void test_long_texts(void **state)
{
    static char json[9000];

    (void)state;
    for (size_t n = 2000; n<8900; n += n> 2030 && n < 2060 ? 1 : 97) {
        json[0] = '"';
        memset(json + 1, n % 2 ? 'x' : '"', n);
        if (n % 2 == 0)
            for (size_t i = 1; i < n; i += 2)
                json[i] = '\\';
        memcpy(json + n + 1, "\"", 2);
        assert_text_of(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_of_rfc_8785),
        cmocka_unit_test(test_random_doubles_read_back),
        cmocka_unit_test(test_canonical_of_rfc_8785),
        cmocka_unit_test(test_canonical_refuses_big_integers),
        cmocka_unit_test(test_bad_json_is_refused),
        cmocka_unit_test(test_depth_is_bounded),
        cmocka_unit_test(test_errors_do_not_quote_the_body),
        cmocka_unit_test(test_a_reason_is_whole),
        cmocka_unit_test(test_one_rule_for_integers),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_long_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
