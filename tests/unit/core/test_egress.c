/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/egress.h"
#include "lib/json.h"

static void test_names(void **state)
{
    static const struct {
        const char *in;
        const char *out;
    } good[] = {{"Example.ORG.", "example.org"},
                {"a-1.b2.example.org", "a-1.b2.example.org"},
                {"1.2.3.example", "1.2.3.example"}};
    static const char *const bad[] = {"",
                                      ".",
                                      "org",
                                      "example..org",
                                      ".example.org",
                                      "example.org..",
                                      "-a.org",
                                      "a-.org",
                                      "a_b.org",
                                      "a b.org",
                                      "xn--a.org",
                                      "a.xn--p1ai",
                                      "m\xc3\xa4.org",
                                      "127.0.0.1",
                                      "127.1",
                                      "0x7f.1",
                                      "1.0x1",
                                      "2130706433",
                                      "[::1]",
                                      "::1",
                                      "a.org:80",
                                      "user@a.org",
                                      "a.org/x",
                                      "*.a.org",
                                      "a.1org"};
    char out[EGRESS_NAME_MAX + 1];
    char label[70];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_null(egress_name(text_of(good[i].in), out));
        assert_string_equal(out, good[i].out);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (!egress_name(text_of(bad[i]), out))
            fail_msg("'%s' is a name", bad[i]);
    memset(label, 'a', 63);
    memcpy(label + 63, ".org", 5);
    assert_null(egress_name(text_of(label), out));
    memset(label, 'a', 64);
    memcpy(label + 64, ".org", 5);
    assert_non_null(egress_name(text_of(label), out));
}

static struct egress_host rule(const char *text)
{
    struct egress_host h;

    if (egress_host_read(text_of(text), &h))
        fail_msg("'%s' is no rule", text);
    return h;
}

static void test_rules(void **state)
{
    static const char *const bad[] = {"*",         "*.",
                                      "*.org",     "a.*.org",
                                      "*a.b.org",  "a.b:",
                                      "a.b:0",     "a.b:080",
                                      "a.b:65536", "a.b:1:2",
                                      "a.b:x",     "a.b: 80",
                                      "*.*.a.org", "a.b:99999999999999999999"};
    struct egress_host h;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (!egress_host_read(text_of(bad[i]), &h))
            fail_msg("'%s' is a rule", bad[i]);
    assert_int_equal(rule("a.b:65535").port, 65535);
    assert_true(rule("*.A.B.").below);
}

static bool allows(const char *text, const char *name, uint16_t port)
{
    struct egress_host h = rule(text);

    return egress_host_allows(&h, name, port);
}

static void test_allows(void **state)
{
    (void)state;
    assert_true(allows("a.org", "a.org", 443));
    assert_true(allows("a.org", "a.org", 80));
    assert_false(allows("a.org", "a.org", 22));
    assert_false(allows("a.org", "x.a.org", 443));
    assert_false(allows("a.org", "xa.org", 443));
    assert_true(allows("*.a.org", "x.a.org", 443));
    assert_true(allows("*.a.org", "y.x.a.org", 443));
    assert_false(allows("*.a.org", "a.org", 443));
    assert_false(allows("*.a.org", "xa.org", 443));
    assert_false(allows("*.a.org", "x.a.org.evil.org", 443));
    assert_true(allows("a.org:8443", "a.org", 8443));
    assert_false(allows("a.org:8443", "a.org", 443));
}

static bool covers(const char *mine, const char *asked)
{
    struct egress_host m = rule(mine);
    struct egress_host a = rule(asked);

    return egress_host_covers(&m, &a);
}

static void test_covers(void **state)
{
    (void)state;
    assert_true(covers("a.org", "A.org."));
    assert_true(covers("a.org", "a.org:443"));
    assert_false(covers("a.org:443", "a.org"));
    assert_false(covers("a.org", "a.org:22"));
    assert_true(covers("a.org:22", "a.org:22"));
    assert_true(covers("*.a.org", "x.a.org"));
    assert_true(covers("*.a.org", "*.a.org"));
    assert_true(covers("*.a.org", "*.x.a.org"));
    assert_false(covers("*.a.org", "a.org"));
    assert_false(covers("a.org", "*.a.org"));
    assert_false(covers("*.x.a.org", "*.a.org"));
    assert_false(covers("x.a.org", "y.a.org"));
}

static enum err_code read_text(const char *text, struct egress *e)
{
    struct err err = {.code = E_OK};
    json_t *v;
    enum err_code rc;

    assert_int_equal(json_parse(text, strlen(text), &v, &err), E_OK);
    rc = egress_read(v, e, &err);
    assert_true(rc == E_OK || strstr(err.text, "egress") != NULL);
    json_decref(v);
    return rc;
}

static void test_member(void **state)
{
    static const char *const bad[] = {
        "[]",
        "{\"hosts\":[\"a.org\"]}",
        "{\"max_bytes\":1}",
        "{\"hosts\":[],\"max_bytes\":1}",
        "{\"hosts\":\"a.org\",\"max_bytes\":1}",
        "{\"hosts\":[1],\"max_bytes\":1}",
        "{\"hosts\":[\"10.0.0.1\"],\"max_bytes\":1}",
        "{\"hosts\":[\"a.org\"],\"max_bytes\":0}",
        "{\"hosts\":[\"a.org\"],\"max_bytes\":-1}",
        "{\"hosts\":[\"a.org\"],\"max_bytes\":1.5}",
        "{\"hosts\":[\"a.org\"],\"max_bytes\":\"1\"}",
        "{\"hosts\":[\"a.org\"],\"max_bytes\":1099511627777}",
        "{\"hosts\":[\"a.org\"],\"max_bytes\":1,\"ports\":[1]}",
    };
    struct egress e;

    (void)state;
    assert_int_equal(
        read_text("{\"hosts\":[\"a.org\",\"*.b.org:8443\"],\"max_bytes\":1099511627776}", &e),
        E_OK);
    assert_int_equal(e.count, 2);
    assert_int_equal(e.max_bytes, EGRESS_BYTES_MAX);
    assert_true(e.hosts[1].below);
    assert_string_equal(e.hosts[1].name, "b.org");
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (read_text(bad[i], &e) != E_BAD_MANIFEST)
            fail_msg("%s was taken", bad[i]);
}

static void test_how_many(void **state)
{
    struct egress e;
    struct err err;
    json_t *list = json_array();

    (void)state;
    for (int i = 0; i < EGRESS_HOSTS_MAX; i++)
        json_array_append_new(list, json_sprintf("h%d.example.org", i));
    json_t *v = json_pack("{s:o, s:i}", "hosts", list, "max_bytes", 1);
    assert_int_equal(egress_read(v, &e, &err), E_OK);
    json_array_append_new(list, json_string("one.more.org"));
    assert_int_equal(egress_read(v, &e, &err), E_BAD_MANIFEST);
    json_decref(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),  cmocka_unit_test(test_rules),
        cmocka_unit_test(test_allows), cmocka_unit_test(test_covers),
        cmocka_unit_test(test_member), cmocka_unit_test(test_how_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
