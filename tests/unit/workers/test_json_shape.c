/* SPDX-License-Identifier: MIT */
/* What output.json must be, judged without building it: as jansson judges it, text by text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "workers/contain/json_shape.h"

/* From memory of exactly that length: a step beyond it is seen by the sanitizers. */
static bool judge(const char *text, size_t n)
{
    char *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, text, n);
    bool ok = json_shape_is_object(copy, n);
    json_t *v = json_loadb(copy, n, 0, NULL);
    if (ok != json_is_object(v))
        print_error("%.*s\n", (int)n, text);
    assert_int_equal(ok, json_is_object(v));
    json_decref(v);
    free(copy);
    return ok;
}

static const char *const good[] = {
    "{}",
    " {\t}\r\n",
    "{\"a\":1}",
    "{\"a\":[],\"b\":{},\"c\":[{},[]]}",
    "{ \"a\" : [ 1 , 2 ] , \"a\" : null }",
    "{\"\":[true,false,null,\"\"]}",
    "{\"n\":[0,-0,10,-1,1.5,-0.0,1e3,1E+3,2e-3,1.25e10]}",
    "{\"n\":[9223372036854775807,-9223372036854775808,1e308,1e-999]}",
    "{\"s\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\uD83D\\uDE00\"}",
    "{\"s\":\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\x7f\"}",
};

static const char *const bad[] = {
    "",
    " ",
    "{",
    "}",
    "[]",
    "1",
    "\"a\"",
    "null",
    "{}x",
    "{}{}",
    "{]",
    "{\"a\"}",
    "{\"a\":}",
    "{\"a\" 1}",
    "{\"a\":1,}",
    "{,}",
    "{a:1}",
    "{1:1}",
    "{\"a\":[1,]}",
    "{\"a\":[,1]}",
    "{\"a\":[1 2]}",
    "{\"a\":[1}",
    "{\"a\":{\"b\":1]}",
    "{\"a\":tru}",
    "{\"a\":truex}",
    "{\"a\":True}",
    "{\"a\":01}",
    "{\"a\":+1}",
    "{\"a\":-}",
    "{\"a\":.5}",
    "{\"a\":1.}",
    "{\"a\":1e}",
    "{\"a\":1e+}",
    "{\"a\":0x1}",
    "{\"a\":1a}",
    "{\"a\":NaN}",
    "{\"a\":9223372036854775808}",
    "{\"a\":1e309}",
    "{\"a\":\"}",
    "{\"a\":\"\\\"}",
    "{\"a\":\"\\x\"}",
    "{\"a\":\"\\u12\"}",
    "{\"a\":\"\\u12g4\"}",
    "{\"a\":\"\\u0000\"}",
    "{\"a\":\"\\ud83d\"}",
    "{\"a\":\"\\ud83d\\u0041\"}",
    "{\"a\":\"\\ude00\"}",
    "{\"a\":\"\n\"}",
    "{\"a\":\"\xff\"}",
    "{\"a\":\"\xc0\xaf\"}",
    "{\"a\":\"\xed\xa0\x80\"}",
    "{\"a\":\"\xc3\"}",
    "{\"a\":1/*x*/}",
};

static void test_known(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(judge(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(judge(bad[i], strlen(bad[i])));
    assert_false(judge("{\"a\":1}\0", 8));
    assert_false(judge("{\"a\":\"\0\"}", 9));
}

/* Every good text, cut at every length and with every byte changed. */
static void test_changed(void **state)
{
    static const char bytes[] = "{}[]\",:\\ue0123.-+x \n\xc3\xa4";
    char copy[256];
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        size_t n = strlen(good[i]);
        for (size_t at = 0; at < n; at++) {
            (void)judge(good[i], at);
            for (size_t b = 0; b + 1 < sizeof(bytes); b++) {
                memcpy(copy, good[i], n);
                copy[at] = bytes[b];
                (void)judge(copy, n);
            }
        }
    }
}

/* Texts made of the pieces of JSON, some of which fit. */
static void test_noise(void **state)
{
    static const char *const pieces[] = {"{",     "}",  "[",  "]",     ",",       ":",
                                         "\"a\"", "1",  "-2", "1.5e2", "true",    "null",
                                         " ",     "{}", "[]", "\"\"",  "\"b\":1", "{\"c\":"};
    unsigned passed = 0;
    (void)state;
    srand(1);
    for (int round = 0; round < 200000; round++) {
        char text[256] = "{\"x\":";
        size_t n = strlen(text);
        for (int k = rand() % 8; k > 0; k--) {
            const char *piece = pieces[(size_t)rand() % (sizeof(pieces) / sizeof(pieces[0]))];
            memcpy(text + n, piece, strlen(piece));
            n += strlen(piece);
        }
        text[n++] = '}';
        passed += judge(text, n);
    }
    assert_true(passed > 1000);
}

static void test_values(void **state)
{
    static const struct {
        const char *text;
        size_t values;
    } rows[] = {{"{}", 1},
                {"{\"a\":1}", 2},
                {"{\"a\":[1,[],{}],\"b\":\"x,y\"}", 6},
                {"{\"a\":{\"a\":{\"a\":null}}}", 4}};
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t n = strlen(rows[i].text);
        assert_true(json_shape_is_small_object(rows[i].text, n, rows[i].values));
        assert_false(json_shape_is_small_object(rows[i].text, n, rows[i].values - 1));
    }
    assert_false(json_shape_is_small_object("{]", 2, 10));
}

static bool nested(size_t depth, const char *open, const char *close)
{
    size_t each = strlen(open);
    char *text = malloc(depth * (each + 1) + 16);
    assert_non_null(text);
    strcpy(text, "{\"a\":"); // NOLINT: there is room
    char *p = text + strlen(text);
    for (size_t i = 0; i < depth; i++, p += each)
        memcpy(p, open, each);
    *p++ = '1';
    for (size_t i = 0; i < depth; i++)
        *p++ = close[0];
    *p++ = '}';
    bool ok = judge(text, (size_t)(p - text));
    free(text);
    return ok;
}

static void test_bounds(void **state)
{
    char text[JSON_SHAPE_NUMBER_MAX + 32];
    (void)state;
    assert_true(nested(JSON_SHAPE_DEPTH_MAX - 1, "[", "]"));
    assert_true(nested(JSON_SHAPE_DEPTH_MAX - 1, "{\"k\":", "}"));
    assert_false(nested(100000, "[", "]"));
    assert_false(nested(100000, "{\"k\":", "}"));
    /* the only texts that jansson takes and this does not */
    memset(text, '0', sizeof(text));
    memcpy(text, "{\"a\":0.", 7);
    text[5 + JSON_SHAPE_NUMBER_MAX] = '}';
    assert_true(judge(text, 5 + JSON_SHAPE_NUMBER_MAX + 1));
    text[5 + JSON_SHAPE_NUMBER_MAX] = '0';
    text[6 + JSON_SHAPE_NUMBER_MAX] = '}';
    assert_false(json_shape_is_object(text, 5 + JSON_SHAPE_NUMBER_MAX + 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),  cmocka_unit_test(test_changed), cmocka_unit_test(test_noise),
        cmocka_unit_test(test_values), cmocka_unit_test(test_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
