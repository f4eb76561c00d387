/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/err.h"
#include "server/guard.h"

struct line {
    const char *name;
    const char *value;
};

static struct guard judge(const char *version, const struct line *lines, size_t n)
{
    struct guard g;

    guard_begin(&g, "POST", version);
    for (size_t i = 0; i < n; i++)
        guard_header(&g, text_of(lines[i].name), text_of(lines[i].value));
    guard_end(&g);
    return g;
}

#define JUDGE(...)                                        \
    judge("HTTP/1.1", (const struct line[]){__VA_ARGS__}, \
          ARRAY_LEN(((const struct line[]){__VA_ARGS__})))
#define HOST                      \
    {                             \
        "Host", "gw.example:8080" \
    }

static void assert_refused(struct guard g)
{
    assert_non_null(g.fault);
}

static void accepts_what_clients_send(void **state)
{
    struct guard g = JUDGE(HOST, {"content-length", "12"}, {"Content-Type", "application/json"},
                           {"AUTHORIZATION", "Bearer x"}, {"Accept", "*/*"}, {"X-Odd", "caf\xe9"});

    (void)state;
    assert_null(g.fault);
    assert_int_equal(g.content_length, 12);
    assert_false(g.chunked);
    assert_true(text_is(g.known[GUARD_AUTHORIZATION], "Bearer x"));
    g = JUDGE(HOST, {"Transfer-Encoding", "Chunked"}, {"Expect", "100-Continue"});
    assert_null(g.fault);
    assert_true(g.chunked);
    assert_int_equal(g.content_length, -1);
    g = judge("HTTP/1.0", (const struct line[]){HOST, {"Content-Length", "0"}}, 2);
    assert_null(g.fault);
    assert_true(g.old);
}

static void refuses_ambiguous_framing(void **state)
{
    (void)state;
    assert_refused(JUDGE(HOST, {"Content-Length", "3"}, {"Content-Length", "30"}));
    assert_refused(JUDGE(HOST, {"Content-Length", "3"}, {"Content-Length", "3"}));
    assert_refused(JUDGE(HOST, {"Content-Length", "3"}, {"Transfer-Encoding", "chunked"}));
    assert_refused(JUDGE(HOST, {"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}));
    assert_refused(JUDGE(HOST, {"Transfer-Encoding", "gzip, chunked"}));
    assert_refused(JUDGE(HOST, {"Transfer-Encoding", "xchunked"}));
    assert_refused(JUDGE(HOST, {"Transfer-Encoding", "identity"}));
    assert_refused(JUDGE(HOST, {"Transfer-Encoding", ""}));
    assert_refused(
        judge("HTTP/1.0", (const struct line[]){HOST, {"Transfer-Encoding", "chunked"}}, 2));
    assert_refused(JUDGE(HOST, {"Content-Encoding", "gzip"}));
    assert_refused(JUDGE(HOST, {"Expect", "200-ok"}));
}

static void refuses_lengths_that_are_no_number(void **state)
{
    static const char *const bad[] = {"",
                                      "-1",
                                      "+3",
                                      "0x3",
                                      "3,3",
                                      "3 3",
                                      "1e3",
                                      "18446744073709551616",
                                      "9999999999999999999",
                                      "\xd9\xa3"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_refused(JUDGE(HOST, {"Content-Length", bad[i]}));
    assert_int_equal(JUDGE(HOST, {"Content-Length", "007"}).content_length, 7);
}

static void wants_exactly_one_sound_host(void **state)
{
    (void)state;
    assert_refused(JUDGE({"Accept", "*/*"}));
    assert_refused(JUDGE(HOST, {"host", "other"}));
    assert_refused(JUDGE({"Host", ""}));
    assert_refused(JUDGE({"Host", "a b"}));
    assert_refused(JUDGE({"Host", "a/b"}));
    assert_refused(JUDGE({"Host", "user@a"}));
    assert_null(JUDGE({"Host", "[::1]:80"}).fault);
    assert_refused(judge("HTTP/1.0", NULL, 0));
}

static void refuses_what_may_come_once_twice(void **state)
{
    static const char *const once[] = {"Authorization", "X-API-Key",     "Idempotency-Key",
                                       "Content-Type",  "If-None-Match", "Range",
                                       "X-Request-Id",  "Expect"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(once); i++)
        assert_refused(JUDGE(HOST, {once[i], "100-continue"}, {once[i], "100-continue"}));
    assert_null(JUDGE(HOST, {"Accept", "a"}, {"Accept", "b"}).fault);
}

static void refuses_odd_names_and_values(void **state)
{
    (void)state;
    assert_refused(JUDGE(HOST, {"Transfer-Encoding ", "chunked"}));
    assert_refused(JUDGE(HOST, {"X Y", "1"}));
    assert_refused(JUDGE(HOST, {"", "1"}));
    assert_refused(JUDGE(HOST, {"X\x7f", "1"}));
    assert_refused(JUDGE(HOST, {"X(", "1"}));
    assert_refused(JUDGE(HOST, {"X", "a\rb"}));
    assert_refused(JUDGE(HOST, {"X", "a\nb"}));
    assert_refused(JUDGE(HOST, {"X", "a\x01"}));
    assert_refused(JUDGE(HOST, {"X", "a\x7f"}));
    assert_null(JUDGE(HOST, {"X", "a\tb"}).fault);
}

/* libmicrohttpd 0.9.75 joins a folded line to the name above it: "Content-Length: 5" + " 6". */
static void refuses_names_that_folding_makes(void **state)
{
    (void)state;
    assert_refused(JUDGE(HOST, {"Content-Length6", "5"}));
    assert_refused(JUDGE(HOST, {"Transfer-Encodingx", "chunked"}));
    assert_refused(JUDGE(HOST, {"Hostb", "a"}));
    assert_refused(JUDGE(HOST, {"AuthorizationBearer", "a"}));
    assert_null(JUDGE(HOST, {"Range-Unit", "bytes"}).fault);
    assert_null(JUDGE(HOST, {"X-Content-Length", "5"}).fault);
}

static void bounds_the_number_of_lines(void **state)
{
    struct guard g;

    (void)state;
    guard_begin(&g, "GET", "HTTP/1.1");
    guard_header(&g, text_of("Host"), text_of("a"));
    for (size_t i = 1; i < GUARD_HEADERS_MAX; i++)
        guard_header(&g, text_of("X"), text_of("1"));
    guard_end(&g);
    assert_null(g.fault);
    guard_header(&g, text_of("X"), text_of("1"));
    assert_non_null(g.fault);
}

static void judges_methods_and_versions(void **state)
{
    struct guard g;

    (void)state;
    guard_begin(&g, "G(T", "HTTP/1.1");
    assert_non_null(g.fault);
    guard_begin(&g, "", "HTTP/1.1");
    assert_non_null(g.fault);
    guard_begin(&g, "GET", "HTTP/1.2");
    assert_non_null(g.fault);
    guard_begin(&g, "GET", "");
    assert_non_null(g.fault);
    guard_begin(&g, "M-SEARCH", "HTTP/1.1");
    assert_null(g.fault);
}

static void judges_targets(void **state)
{
    static const char *const bad[] = {
        "",       "*",       "http://a/", "a",      "/a b",      "/a%00b",  "/%0a",  "/%1F",
        "/a%7f",  "/%",      "/%a",       "/%zz",   "/a#b",      "/a\\b",   "/\x80", "/\tb",
        "/a?b=%", "/a?b=%0", "/a?b=%00",  "/a\x01", "/<script>", "/a?b=\"", "?x",    " /a"};
    char long_target[GUARD_TARGET_MAX + 2];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_non_null(guard_target(text_of(bad[i])));
    assert_non_null(guard_target((struct text){NULL, 0}));
    assert_null(guard_target(text_of("/")));
    assert_null(guard_target(text_of("/v1/tasks/tsk_1?wait=30&x=%20%C3%A4")));
    memset(long_target, '/', sizeof(long_target));
    assert_null(guard_target((struct text){long_target, GUARD_TARGET_MAX}));
    assert_non_null(guard_target((struct text){long_target, GUARD_TARGET_MAX + 1}));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts_what_clients_send),
        cmocka_unit_test(refuses_ambiguous_framing),
        cmocka_unit_test(refuses_lengths_that_are_no_number),
        cmocka_unit_test(wants_exactly_one_sound_host),
        cmocka_unit_test(refuses_what_may_come_once_twice),
        cmocka_unit_test(refuses_odd_names_and_values),
        cmocka_unit_test(refuses_names_that_folding_makes),
        cmocka_unit_test(bounds_the_number_of_lines),
        cmocka_unit_test(judges_methods_and_versions),
        cmocka_unit_test(judges_targets),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
