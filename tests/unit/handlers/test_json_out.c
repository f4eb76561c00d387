/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/json_out.h"
#include "lib/json.h"

static struct text finish(struct json_out *o)
{
    return json_out_text(o);
}

static json_t *reread(struct json_out *o)
{
    struct text t = finish(o);
    struct err err;
    json_t *v;

    if (json_parse(t.s, t.n, &v, &err) != E_OK)
        fail_msg("%s: %.*s", err.text, (int)t.n, t.s);
    return v;
}

/* Every ASCII character but NUL, and others of two to four bytes, through jansson's parser. */
static void test_strings_come_back(void **state)
{
    struct arena *a = arena_new();
    struct json_out *o = json_out_new(a);
    char all[160];
    size_t n = 0;
    json_t *v;

    (void)state;
    for (int c = 1; c < 128; c++)
        all[n++] = (char)c;
    memcpy(all + n, "é€😀", strlen("é€😀"));
    n += strlen("é€😀");
    put_open(o, NULL, '[');
    put_text(o, NULL, (struct text){all, n});
    put_string(o, NULL, "");
    put_string(o, NULL, "\"");
    put_string(o, NULL, "ends with \\");
    put_close(o, ']');
    v = reread(o);
    assert_int_equal(json_string_length(json_array_get(v, 0)), n);
    assert_memory_equal(json_string_value(json_array_get(v, 0)), all, n);
    assert_string_equal(json_string_value(json_array_get(v, 1)), "");
    assert_string_equal(json_string_value(json_array_get(v, 2)), "\"");
    assert_string_equal(json_string_value(json_array_get(v, 3)), "ends with \\");
    json_decref(v);
    arena_free(a);
}

static void test_members_and_commas(void **state)
{
    static const struct uuid none;
    struct arena *a = arena_new();
    struct json_out *o = json_out_new(a);

    (void)state;
    put_open(o, NULL, '{');
    put_open(o, "empty", '{');
    put_close(o, '}');
    put_open(o, "list", '[');
    put_int(o, NULL, INT64_MIN);
    put_bool(o, NULL, true);
    put_open(o, NULL, '[');
    put_close(o, ']');
    put_null(o, NULL);
    put_close(o, ']');
    put_text(o, "text", text_of(NULL));
    put_id(o, "id", ID_TASK, none);
    put_time(o, "time", 0);
    put_hex(o, "hex", "0x", bytes_of(NULL, 0));
    put_hex(o, "zero", "0x", bytes_of("", 0));
    put_decimal(o, "units", INT64_MAX);
    put_raw(o, "raw", text_of("{\"x\":1}"));
    put_close(o, '}');
    assert_true(text_is(finish(o),
                        "{\"empty\":{},\"list\":[-9223372036854775808,true,[],null],\"text\":null,"
                        "\"id\":null,\"time\":null,\"hex\":null,\"zero\":\"0x\","
                        "\"units\":\"9223372036854775807\",\"raw\":{\"x\":1}}"));
    arena_free(a);
}

/* Across every growth of the buffer, at every place. */
static void test_growth(void **state)
{
    (void)state;
    for (size_t n = 2000; n < 2100; n++) {
        struct arena *a = arena_new();
        struct json_out *o = json_out_new(a);
        char *long_text = arena_alloc(a, n + 1);
        const struct uuid id = {{1}};
        json_t *v;

        memset(long_text, 'x', n);
        put_open(o, NULL, '[');
        put_string(o, NULL, long_text);
        put_hex(o, NULL, "", bytes_of(long_text, n));
        put_path(o, NULL, "/v1/tasks/", ID_TASK, id, "/cancel");
        put_close(o, ']');
        v = reread(o);
        assert_int_equal(json_string_length(json_array_get(v, 0)), n);
        assert_int_equal(json_string_length(json_array_get(v, 1)), 2 * n);
        json_decref(v);
        arena_free(a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings_come_back),
        cmocka_unit_test(test_members_and_commas),
        cmocka_unit_test(test_growth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
