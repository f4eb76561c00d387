/* SPDX-License-Identifier: MIT */
/* The problem body and the Idempotency-Key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/idempotency.h"
#include "server/reply.h"

static int setup(void **state)
{
    *state = arena_new();
    return 0;
}

static int teardown(void **state)
{
    arena_free(*state);
    return 0;
}

static json_t *body(struct arena *a, enum err_code code, const char *detail,
                    const struct violations *bad)
{
    const struct problem p = {.code = code,
                              .base = "https://gw.example",
                              .instance = text_of("/v1/tasks/x"),
                              .request_id = "req_12345678",
                              .detail = detail,
                              .bad = bad};
    struct text t = problem_body(a, &p);
    json_t *v = json_loadb(t.s, t.n, JSON_REJECT_DUPLICATES, NULL);

    assert_non_null(v);
    return v;
}

static const char *member(const json_t *v, const char *name)
{
    return json_string_value(json_object_get(v, name));
}

static void has_every_member(void **state)
{
    json_t *v = body(*state, E_TASK_NOT_FOUND, "No task x for this account", NULL);
    const json_t *e = json_object_get(v, "error");

    assert_string_equal(member(v, "type"), "https://gw.example/problems/task_not_found");
    assert_string_equal(member(v, "title"), "Task not found");
    assert_int_equal(json_integer_value(json_object_get(v, "status")), 404);
    assert_string_equal(member(v, "detail"), "No task x for this account");
    assert_string_equal(member(v, "instance"), "/v1/tasks/x");
    assert_string_equal(member(v, "code"), "TASK_NOT_FOUND");
    assert_string_equal(member(v, "request_id"), "req_12345678");
    assert_null(json_object_get(v, "errors"));
    assert_int_equal(json_object_size(v), 8);
    assert_string_equal(member(e, "message"), "No task x for this account");
    assert_string_equal(member(e, "type"), "not_found_error");
    assert_true(json_is_null(json_object_get(e, "param")));
    assert_string_equal(member(e, "code"), "TASK_NOT_FOUND");
    assert_string_equal(member(e, "request_id"), "req_12345678");
    assert_int_equal(json_object_size(e), 5);
    json_decref(v);
}

static void names_each_violation(void **state)
{
    const struct violations bad = {.list = {{FIELD_BODY, "/racers", "must be at most 8"},
                                            {FIELD_QUERY, "/wait", "is too long"}},
                                   .n = 2};
    json_t *v = body(*state, E_VALIDATION, "ignored", &bad);
    const json_t *errors = json_object_get(v, "errors");

    assert_int_equal(json_array_size(errors), 2);
    assert_string_equal(member(json_array_get(errors, 0), "pointer"), "/racers");
    assert_null(json_object_get(json_array_get(errors, 0), "in"));
    assert_string_equal(member(json_array_get(errors, 1), "in"), "query");
    assert_string_equal(member(v, "detail"), "/racers: must be at most 8");
    assert_string_equal(member(json_object_get(v, "error"), "param"), "racers");
    json_decref(v);
}

static void detail_is_always_a_string(void **state)
{
    json_t *v = body(*state, E_INTERNAL, "", NULL);

    assert_string_equal(member(v, "detail"), "Something is wrong on our side");
    assert_string_equal(member(json_object_get(v, "error"), "type"), "api_error");
    json_decref(v);
    v = body(*state, E_BAD_REQUEST, "\xff\xfe", NULL);
    assert_non_null(member(v, "detail"));
    json_decref(v);
    v = body(*state, E_BAD_REQUEST, "quote \" and \\ and \n", NULL);
    assert_string_equal(member(v, "detail"), "quote \" and \\ and \n");
    json_decref(v);
}

/* ---- Idempotency-Key --------------------------------------------------------------------------
 */

static bool reads_as(void **state, const char *header, const char *key)
{
    struct text out;

    return idempotency_key_read(text_of(header), *state, &out, NULL) == E_OK && text_is(out, key);
}

static bool is_bad(void **state, const char *header)
{
    struct text out;

    return idempotency_key_read(text_of(header), *state, &out, NULL) == E_BAD_IDEMPOTENCY_KEY;
}

static void bare_and_quoted_are_one_key(void **state)
{
    struct text out = text_of("x");

    assert_true(reads_as(state, "8e03978e-40d5-43dd-bc93-6894a57f9324",
                         "8e03978e-40d5-43dd-bc93-6894a57f9324"));
    assert_true(reads_as(state, "\"8e03978e\"", "8e03978e"));
    assert_true(reads_as(state, "\"a \\\"b\\\\\"", "a \"b\\"));
    assert_true(reads_as(state, "a\"b", "a\"b"));
    assert_int_equal(idempotency_key_read((struct text){NULL, 0}, *state, &out, NULL), E_OK);
    assert_null(out.s);
}

static void refuses_keys_that_are_none(void **state)
{
    static const char *const bad[] = {"",     "\"\"", "\"a",     "\"",      "\"a\"b\"", "a b",
                                      "a\tb", "\x80", "\"\\n\"", "\"a\\\"", "\"\x7f\""};
    char key[IDEMPOTENCY_KEY_MAX + 4];

    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_true(is_bad(state, bad[i]));
    memset(key, 'k', sizeof(key));
    key[IDEMPOTENCY_KEY_MAX] = '\0';
    assert_true(reads_as(state, key, key));
    key[IDEMPOTENCY_KEY_MAX] = 'k';
    key[IDEMPOTENCY_KEY_MAX + 1] = '\0';
    assert_true(is_bad(state, key));
    key[0] = '"';
    key[IDEMPOTENCY_KEY_MAX + 1] = '"';
    key[IDEMPOTENCY_KEY_MAX + 2] = '\0';
    assert_false(is_bad(state, key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(has_every_member),           cmocka_unit_test(names_each_violation),
        cmocka_unit_test(detail_is_always_a_string),  cmocka_unit_test(bare_and_quoted_are_one_key),
        cmocka_unit_test(refuses_keys_that_are_none),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
