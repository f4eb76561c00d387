/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/escape.h"
#include "server/router.h"

static const struct route routes[] = {
    {.method = "GET", .path = "/"},
    {.method = "GET", .path = "/v1/tasks"},
    {.method = "POST", .path = "/v1/tasks"},
    {.method = "GET", .path = "/v1/tasks/{task}"},
    {.method = "GET", .path = "/v1/tasks/{task}/result"},
    {.method = "POST", .path = "/v1/tasks/search"},
    {.method = "PUT", .path = "/v1/sources/{source}/registrations/{provider}"},
    {.method = "DELETE", .path = "/v1/sources/{source}/registrations/{provider}"},
    {.method = "GET", .path = "/docs/{file}"},
    {.method = "GET", .path = "/docs"},
};

struct fixture {
    struct router *router;
    struct arena *arena;
};

static int setup(void **state)
{
    static struct fixture f;

    f.router = router_new();
    f.arena = arena_new();
    *state = &f;
    return router_add(f.router, routes, ARRAY_LEN(routes), NULL) == E_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    router_free(f->router);
    arena_free(f->arena);
    return 0;
}

static enum err_code ask(void **state, const char *method, const char *path, struct route_match *m)
{
    struct fixture *f = *state;

    return router_match(f->router, text_of(method), text_of(path), f->arena, m);
}

static void finds_literals_and_parameters(void **state)
{
    struct route_match m;

    assert_int_equal(ask(state, "GET", "/", &m), E_OK);
    assert_ptr_equal(m.route, &routes[0]);
    assert_int_equal(ask(state, "POST", "/v1/tasks", &m), E_OK);
    assert_ptr_equal(m.route, &routes[2]);
    assert_int_equal(ask(state, "GET", "/v1/tasks/tsk_1/result", &m), E_OK);
    assert_ptr_equal(m.route, &routes[4]);
    assert_int_equal(m.params, 1);
    assert_true(text_is(m.param[0].name, "task"));
    assert_true(text_is(m.param[0].value, "tsk_1"));
    assert_int_equal(ask(state, "PUT", "/v1/sources/s/registrations/p", &m), E_OK);
    assert_int_equal(m.params, 2);
    assert_true(text_is(m.param[1].name, "provider"));
    assert_true(text_is(m.param[1].value, "p"));
}

static void a_literal_wins_but_does_not_hide_the_parameter(void **state)
{
    struct route_match m;

    assert_int_equal(ask(state, "POST", "/v1/tasks/search", &m), E_OK);
    assert_ptr_equal(m.route, &routes[5]);
    assert_int_equal(ask(state, "GET", "/v1/tasks/search/result", &m), E_OK);
    assert_ptr_equal(m.route, &routes[4]);
    assert_true(text_is(m.param[0].value, "search"));
}

static void head_finds_get(void **state)
{
    struct route_match m;

    assert_int_equal(ask(state, "HEAD", "/v1/tasks/x", &m), E_OK);
    assert_ptr_equal(m.route, &routes[3]);
    assert_int_equal(ask(state, "get", "/v1/tasks/x", &m), E_METHOD_NOT_ALLOWED);
}

static void tells_what_is_allowed(void **state)
{
    struct route_match m;

    assert_int_equal(ask(state, "DELETE", "/v1/tasks", &m), E_METHOD_NOT_ALLOWED);
    assert_string_equal(m.allow, "GET, HEAD, POST");
    assert_int_equal(ask(state, "FOO", "/v1/sources/s/registrations/p", &m), E_METHOD_NOT_ALLOWED);
    assert_string_equal(m.allow, "PUT, DELETE");
    assert_null(m.route);
}

static void what_is_not_there_is_not_found(void **state)
{
    static const char *const paths[] = {"/v1",
                                        "/v1/",
                                        "/v1/tasks/",
                                        "//v1/tasks",
                                        "/v1//tasks",
                                        "/v1/tasks/x/",
                                        "/v1/tasks//result",
                                        "/V1/tasks",
                                        "/v1/tasks/x/y",
                                        "/v1/sources/s/registrations",
                                        "",
                                        "v1",
                                        "/v1/tasks%2fx",
                                        "/v1/tasks/../tasks",
                                        "/%76%31/tasks"};
    struct route_match m;

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        enum err_code code = ask(state, "GET", paths[i], &m);

        /* "/v1/tasks/" has an empty last parameter: the field table then says it is no task. */
        assert_int_equal(code, i == 2 ? E_OK : E_NOT_FOUND);
    }
}

static void an_empty_last_segment_is_a_parameter(void **state)
{
    struct route_match m;

    assert_int_equal(ask(state, "GET", "/docs/", &m), E_OK);
    assert_int_equal(m.param[0].value.n, 0);
    assert_int_equal(ask(state, "GET", "/docs", &m), E_OK);
    assert_ptr_equal(m.route, &routes[9]);
}

static void decodes_parameters_once(void **state)
{
    struct route_match m;

    assert_int_equal(ask(state, "GET", "/v1/tasks/a%2Fb%2525+", &m), E_OK);
    assert_true(text_is(m.param[0].value, "a/b%25+"));
    assert_int_equal(ask(state, "GET", "/v1/tasks/%ff", &m), E_NOT_FOUND);
    assert_int_equal(ask(state, "GET", "/v1/tasks/%c0%af", &m), E_NOT_FOUND);
}

static void refuses_bad_tables(void **state)
{
    static const struct route twice[] = {{.method = "GET", .path = "/a/{x}"},
                                         {.method = "GET", .path = "/a/{x}"}};
    static const struct route odd[] = {{.method = "BREW", .path = "/a"},
                                       {.method = "GET", .path = "a"},
                                       {.method = "GET", .path = "/{a}/{b}/{c}/{d}/{e}"}};
    struct router *r = router_new();

    (void)state;
    assert_int_equal(router_add(r, twice, 2, NULL), E_CONFIG);
    for (size_t i = 0; i < ARRAY_LEN(odd); i++)
        assert_int_equal(router_add(r, &odd[i], 1, NULL), E_CONFIG);
    router_free(r);
}

static void splits_queries(void **state)
{
    struct fixture *f = *state;
    struct field_pair p[QUERY_PAIRS_MAX];
    char many[256] = "";
    size_t n;

    assert_int_equal(escape_query(text_of("a=1&b=x+y%26&&c&d=&a=2"), f->arena, p, &n, NULL), E_OK);
    assert_int_equal(n, 5);
    assert_true(text_is(p[0].name, "a") && text_is(p[0].value, "1"));
    assert_true(text_is(p[1].value, "x y&"));
    assert_true(text_is(p[2].name, "c") && p[2].value.n == 0);
    assert_true(text_is(p[4].name, "a") && text_is(p[4].value, "2"));
    assert_int_equal(escape_query(text_of(""), f->arena, p, &n, NULL), E_OK);
    assert_int_equal(n, 0);
    assert_int_equal(escape_query(text_of("a=%ff"), f->arena, p, &n, NULL), E_BAD_REQUEST);
    for (size_t i = 0; i < QUERY_PAIRS_MAX; i++)
        memcpy(many + 4 * i, "a=1&", 5);
    assert_int_equal(escape_query(text_of(many), f->arena, p, &n, NULL), E_OK);
    memcpy(many + strlen(many), "a=1", 4);
    assert_int_equal(escape_query(text_of(many), f->arena, p, &n, NULL), E_BAD_REQUEST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_literals_and_parameters),
        cmocka_unit_test(a_literal_wins_but_does_not_hide_the_parameter),
        cmocka_unit_test(head_finds_get),
        cmocka_unit_test(tells_what_is_allowed),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test(an_empty_last_segment_is_a_parameter),
        cmocka_unit_test(decodes_parameters_once),
        cmocka_unit_test(refuses_bad_tables),
        cmocka_unit_test(splits_queries),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
