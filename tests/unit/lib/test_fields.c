/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fields.h"
#include "lib/json.h"

/* ^[a-c]+$ by hand: class 1 is a to c; state 2 has seen at least one. */
static const uint8_t abc_class[128] = {['a'] = 1, ['b'] = 1, ['c'] = 1};
static const uint16_t abc_next[] = {0, 0, 0, 2, 0, 2};
static const uint8_t abc_accepts[] = {0, 0, 1};
static const struct pattern abc = {"^[a-c]+$", abc_class, abc_next, abc_accepts, 2};

static bool parse_digit(struct text s, struct arena *a, void *out)
{
    (void)a;
    if (s.n != 1 || s.s[0] < '0' || s.s[0] > '9')
        return false;
    *(uint8_t *)out = (uint8_t)(s.s[0] - '0');
    return true;
}

struct in {
    int64_t count;
    struct text name;
    json_t *list;
    json_t *box;
    json_t *map;
    json_t *any;
    int32_t mode;
    uint8_t digit;
    bool flag;
    bool has_flag;
    bool has_name;
    bool has_list;
    bool has_box;
    bool has_map;
    bool has_any;
};

static const char *const modes[] = {"slow", "fast"};
static const struct shape flag = {.kind = SHAPE_BOOL};
static const struct shape count = {.kind = SHAPE_INT, .min = 1, .max = 8};
static const struct shape name = {.kind = SHAPE_TEXT, .min = 1, .max = 4, .pattern = &abc};
static const struct shape wide = {.kind = SHAPE_TEXT, .min = 0, .max = 3};
static const struct shape mode = {.kind = SHAPE_ENUM, .words = modes, .n_words = 2};
static const struct shape digit = {
    .kind = SHAPE_PARSED, .size = 1, .parse = parse_digit, .what = "a digit"};
static const struct shape list = {
    .kind = SHAPE_ARRAY, .unique = true, .min = 1, .max = 3, .item = &digit};
static const struct field box_rows[] = {
    {.name = "inner", .shape = &name, .required = true, .offset = FIELD_NONE, .has = FIELD_NONE},
    {.name = "n", .shape = &count, .offset = FIELD_NONE, .has = FIELD_NONE},
};
static const struct fields box_fields = {box_rows, 2};
static const struct shape box = {
    .kind = SHAPE_OBJECT, .min = 0, .max = INT64_MAX, .members = &box_fields};
static const struct shape map = {
    .kind = SHAPE_MAP, .min = 0, .max = 2, .item = &wide, .name = &name};
static const struct shape any = {.kind = SHAPE_ANY, .min = 0, .max = INT64_MAX};

#define ROW(n, s, ...)                                                         \
    {                                                                          \
        .name = #n, .shape = &s, .offset = offsetof(struct in, n), __VA_ARGS__ \
    }
#define HAS(n) .has = offsetof(struct in, has_##n)
static const struct field rows[] = {
    ROW(flag, flag, HAS(flag)),
    ROW(count, count, .has = FIELD_NONE, .has_fallback = true, .fallback = 2),
    ROW(name, name, HAS(name)),
    ROW(mode, mode, .has = FIELD_NONE, .has_fallback = true, .fallback = 1),
    ROW(digit, digit, .has = FIELD_NONE, .required = true),
    ROW(list, list, HAS(list)),
    ROW(box, box, HAS(box)),
    ROW(map, map, HAS(map)),
    ROW(any, any, HAS(any)),
};
static const struct fields fields = {rows, 9};

struct run {
    struct arena *arena;
    json_t *body;
    struct in in;
    struct violations bad;
    enum err_code rc;
};

static struct run judge(const char *json)
{
    struct run r = {.arena = arena_new()};
    struct err err;

    memset(&r.in, 0xaa, sizeof(r.in)); /* absent members must not keep what was there */
    assert_int_equal(json_parse(json, strlen(json), &r.body, &err), E_OK);
    r.rc = fields_json(&fields, r.body, r.arena, &r.in, &r.bad, &err);
    return r;
}

static void done(struct run *r)
{
    json_decref(r->body);
    arena_free(r->arena);
}

static void refuses(const char *json, const char *pointer, const char *message)
{
    struct run r = judge(json);

    assert_int_equal(r.rc, E_VALIDATION);
    assert_int_equal(r.bad.n, 1);
    assert_int_equal(r.bad.list[0].place, FIELD_BODY);
    assert_string_equal(r.bad.list[0].pointer, pointer);
    assert_string_equal(r.bad.list[0].message, message);
    done(&r);
}

static void test_every_type_is_taken(void **state)
{
    struct run r =
        judge("{\"flag\":true,\"count\":3,\"name\":\"abc\",\"mode\":\"slow\",\"digit\":\"7\","
              "\"list\":[\"1\",\"2\"],\"box\":{\"inner\":\"a\"},\"map\":{\"a\":\"x\"},"
              "\"any\":{\"deep\":[1,{\"x\":null}]}}");

    (void)state;
    assert_int_equal(r.rc, E_OK);
    assert_true(r.in.flag && r.in.has_flag);
    assert_int_equal(r.in.count, 3);
    assert_true(r.in.has_name && text_is(r.in.name, "abc"));
    assert_int_equal(r.in.mode, 0);
    assert_int_equal(r.in.digit, 7);
    assert_int_equal(json_array_size(r.in.list), 2);
    assert_non_null(json_object_get(r.in.box, "inner"));
    assert_non_null(json_object_get(r.in.map, "a"));
    assert_non_null(json_object_get(r.in.any, "deep"));
    done(&r);
}

static void test_absent_members_are_zero_or_their_default(void **state)
{
    struct run r = judge("{\"digit\":\"0\"}");

    (void)state;
    assert_int_equal(r.rc, E_OK);
    assert_false(r.in.has_flag || r.in.flag || r.in.has_name || r.in.has_list || r.in.has_any);
    assert_int_equal(r.in.count, 2);
    assert_int_equal(r.in.mode, 1);
    assert_null(r.in.list);
    assert_null(r.in.name.s);
    done(&r);
}

static void test_each_violation_has_its_sentence(void **state)
{
    (void)state;
    refuses("[]", "", "must be an object");
    refuses("{}", "/digit", "is required");
    refuses("{\"digit\":\"0\",\"a/b~c\":1}", "/a~1b~0c", "is not a known member");
    refuses("{\"digit\":\"x\"}", "/digit", "must be a digit");
    refuses("{\"digit\":null}", "/digit", "must be a string");
    refuses("{\"digit\":\"0\",\"flag\":1}", "/flag", "must be true or false");
    refuses("{\"digit\":\"0\",\"count\":0}", "/count", "must be at least 1");
    refuses("{\"digit\":\"0\",\"count\":9}", "/count", "must be at most 8");
    refuses("{\"digit\":\"0\",\"count\":1.5}", "/count", "must be an integer");
    refuses("{\"digit\":\"0\",\"count\":1e300}", "/count", "must be an integer");
    refuses("{\"digit\":\"0\",\"count\":\"1\"}", "/count", "must be an integer");
    refuses("{\"digit\":\"0\",\"name\":\"\"}", "/name", "must have at least 1 character");
    refuses("{\"digit\":\"0\",\"name\":\"aaaaa\"}", "/name", "must have at most 4 characters");
    refuses("{\"digit\":\"0\",\"name\":\"ax\"}", "/name", "must match ^[a-c]+$");
    refuses("{\"digit\":\"0\",\"name\":\"a\xc3\xa4\"}", "/name", "must match ^[a-c]+$");
    refuses("{\"digit\":\"0\",\"mode\":\"mid\"}", "/mode", "must be one of slow, fast");
    refuses("{\"digit\":\"0\",\"list\":{}}", "/list", "must be an array");
    refuses("{\"digit\":\"0\",\"list\":[]}", "/list", "must have at least 1 item");
    refuses("{\"digit\":\"0\",\"list\":[\"1\",\"x\"]}", "/list/1", "must be a digit");
    refuses("{\"digit\":\"0\",\"list\":[\"1\",\"2\",\"1\"]}", "/list/2", "is the same as item 0");
    refuses("{\"digit\":\"0\",\"list\":[\"1\",\"2\",\"3\",\"4\"]}", "/list",
            "must have at most 3 items");
    refuses("{\"digit\":\"0\",\"box\":[]}", "/box", "must be an object");
    refuses("{\"digit\":\"0\",\"box\":{}}", "/box/inner", "is required");
    refuses("{\"digit\":\"0\",\"box\":{\"inner\":\"a\",\"n\":9}}", "/box/n", "must be at most 8");
    refuses("{\"digit\":\"0\",\"box\":{\"inner\":\"a\",\"o\":9}}", "/box/o",
            "is not a known member");
    refuses("{\"digit\":\"0\",\"map\":{\"x\":\"\"}}", "/map/x", "must match ^[a-c]+$");
    refuses("{\"digit\":\"0\",\"map\":{\"a\":7}}", "/map/a", "must be a string");
    refuses("{\"digit\":\"0\",\"map\":{\"a\":\"\",\"b\":\"\",\"c\":\"\"}}", "/map",
            "must have at most 2 members");
    refuses("{\"digit\":\"0\",\"any\":[]}", "/any", "must be an object");
}

static void test_whole_doubles_are_integers(void **state)
{
    struct run r = judge("{\"digit\":\"0\",\"count\":3.0}");

    (void)state;
    assert_int_equal(r.rc, E_OK);
    assert_int_equal(r.in.count, 3);
    done(&r);
}

static void test_lengths_count_characters(void **state)
{
    struct run r =
        judge("{\"digit\":\"0\",\"map\":{\"a\":\"\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xa4\"}}");

    (void)state;
    assert_int_equal(r.rc, E_OK);
    done(&r);
}

static void test_sixteen_violations_and_no_more(void **state)
{
    char json[1024] = "{";
    size_t n = 1;
    struct run r;

    (void)state;
    for (int i = 0; i < 40; i++)
        n += (size_t)snprintf(json + n, sizeof(json) - n, "%s\"u%d\":0", i ? "," : "", i);
    snprintf(json + n, sizeof(json) - n, "}");
    r = judge(json);
    assert_int_equal(r.rc, E_VALIDATION);
    assert_int_equal(r.bad.n, VIOLATIONS_MAX);
    done(&r);
}

/* A pointer is cut at 255 bytes, and never inside a character. */
static void test_long_names_give_short_pointers(void **state)
{
    char euros[901] = "";
    char json[1024];
    json_t *text;
    struct run r;

    (void)state;
    for (size_t i = 0; i < 300; i++)
        memcpy(euros + 3 * i, "\xe2\x82\xac", 3);
    snprintf(json, sizeof(json), "{\"digit\":\"0\",\"%s\":1}", euros);
    r = judge(json);
    assert_int_equal(r.bad.n, 1);
    assert_in_range(strlen(r.bad.list[0].pointer), 200, 255);
    text = json_string(r.bad.list[0].pointer); /* NULL for what is not UTF-8 */
    assert_non_null(text);
    json_decref(text);
    assert_int_equal((strlen(r.bad.list[0].pointer) - 1) % 3, 0);
    done(&r);
}

static void test_free_form_objects_are_bounded(void **state)
{
    json_t *body = json_object(), *inner = json_object(), *many = json_array();
    struct arena *a = arena_new();
    struct violations bad = {0};
    struct in in;

    (void)state;
    for (int i = 0; i < 20; i++)
        inner = json_pack("{s:o}", "x", inner);
    json_object_set_new(body, "digit", json_string("0"));
    json_object_set_new(body, "any", inner);
    assert_int_equal(fields_json(&fields, body, a, &in, &bad, NULL), E_VALIDATION);
    assert_string_equal(bad.list[0].message, "is nested deeper than 16");

    for (int i = 0; i < FIELDS_NODES_MAX; i++)
        json_array_append_new(many, json_true());
    json_object_set_new(body, "any", json_pack("{s:o}", "x", many));
    bad.n = 0;
    assert_int_equal(fields_json(&fields, body, a, &in, &bad, NULL), E_VALIDATION);
    assert_int_equal(bad.n, 1);
    json_decref(body);
    arena_free(a);
}

static void refuses_pair(struct field_pair *pairs, size_t n, const char *pointer,
                         const char *message)
{
    const struct field_pairs sent = {FIELD_QUERY, pairs, n};
    struct arena *a = arena_new();
    struct violations bad = {0};
    struct in in;

    assert_int_equal(fields_pairs(&fields, &sent, a, &in, &bad, NULL), E_VALIDATION);
    assert_int_equal(bad.n, 1);
    assert_int_equal(bad.list[0].place, FIELD_QUERY);
    assert_string_equal(bad.list[0].pointer, pointer);
    assert_string_equal(bad.list[0].message, message);
    arena_free(a);
}

static void test_parameters(void **state)
{
    struct field_pair p[] = {{text_of("digit"), text_of("4")},
                             {text_of("count"), text_of("8")},
                             {text_of("flag"), text_of("true")},
                             {text_of("mode"), text_of("slow")}};
    static const char *const no_numbers[] = {"",   "-",   "+1",  "08", " 1",
                                             "1 ", "1.0", "0x1", "-0", "99999999999999999999"};
    const struct field_pairs sent = {FIELD_QUERY, p, 4};
    struct arena *a = arena_new();
    struct violations bad = {0};
    struct in in;

    (void)state;
    assert_int_equal(fields_pairs(&fields, &sent, a, &in, &bad, NULL), E_OK);
    assert_int_equal(in.digit, 4);
    assert_int_equal(in.count, 8);
    assert_int_equal(in.mode, 0);
    assert_true(in.flag && in.has_flag);
    arena_free(a);

    refuses_pair(p + 1, 3, "/digit", "is required");
    p[2] = p[1];
    refuses_pair(p, 4, "/count", "is given twice");
    p[2] = (struct field_pair){text_of("b\xff"
                                       "x"),
                               text_of("")};
    refuses_pair(p, 4, "/b?x", "is not a known parameter");
    for (size_t i = 0; i < ARRAY_LEN(no_numbers); i++) {
        p[1].value = text_of(no_numbers[i]);
        refuses_pair(p, 2, "/count", "must be an integer");
    }
    p[1].value = text_of("-1");
    refuses_pair(p, 2, "/count", "must be at least 1");
}

static void test_pattern_wants_the_whole_text(void **state)
{
    (void)state;
    assert_true(pattern_matches(&abc, text_of("abcab")));
    assert_false(pattern_matches(&abc, text_of("")));
    assert_false(pattern_matches(&abc, text_of("abd")));
    assert_false(pattern_matches(&abc, text_of("dab")));
    assert_false(pattern_matches(&abc, (struct text){"a\0b", 3}));
    assert_false(pattern_matches(&abc, text_of("a\xff")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type_is_taken),
        cmocka_unit_test(test_absent_members_are_zero_or_their_default),
        cmocka_unit_test(test_each_violation_has_its_sentence),
        cmocka_unit_test(test_whole_doubles_are_integers),
        cmocka_unit_test(test_lengths_count_characters),
        cmocka_unit_test(test_sixteen_violations_and_no_more),
        cmocka_unit_test(test_long_names_give_short_pointers),
        cmocka_unit_test(test_free_form_objects_are_bounded),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_pattern_wants_the_whole_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
