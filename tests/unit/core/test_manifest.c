/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/manifest.h"
#include "lib/hex.h"

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define SHA_A "sha256:" HEX_A

static const char good[] =
    "{\"name\":\"mandelbrot\",\"contract\":\"exec\","
    "\"image\":{\"digest\":\"" SHA_A "\",\"blob\":\"" HEX_B "\"},"
    "\"environments\":[\"cpu\",\"amd\"],\"function\":\"render\","
    "\"command\":[\"/bin/render\",\"-q\"],\"env\":{\"LANG\":\"C\"},"
    "\"limits\":{\"memory_mb\":256,\"pids\":32,\"cpu_millis\":1000,\"timeout_s\":60,"
    "\"tmp_mb\":16,\"output_bytes\":4194304,\"output_files\":4},"
    "\"min_reward\":\"1000000000000\",\"max_expiry_s\":3600}";

/* The good manifest with one member replaced (NULL value: taken out). `path` is key or key.key. */
static json_t *with(const char *path, const char *value)
{
    struct err err;
    json_t *v;
    json_t *at;
    char key[64];
    const char *dot = strchr(path, '.');

    assert_int_equal(json_parse(good, strlen(good), &v, &err), E_OK);
    at = v;
    if (dot) {
        snprintf(key, sizeof(key), "%.*s", (int)(dot - path), path);
        at = json_object_get(v, key);
        path = dot + 1;
    }
    if (value) {
        json_t *m;

        assert_int_equal(json_parse(value, strlen(value), &m, &err), E_OK);
        json_object_set_new(at, path, m);
    } else {
        json_object_del(at, path);
    }
    return v;
}

static enum err_code read_with(const char *path, const char *value)
{
    json_t *v = with(path, value);
    struct manifest m;
    struct err err = {.code = E_OK};
    enum err_code rc = manifest_read(v, &m, &err);

    if (rc != E_OK)
        assert_true(strlen(err.text) > 0);
    json_decref(v);
    return rc;
}

static void test_good_manifest(void **state)
{
    struct manifest m;
    struct err err;
    json_t *v;
    char hex[65];

    (void)state;
    assert_int_equal(json_parse(good, strlen(good), &v, &err), E_OK);
    assert_int_equal(manifest_read(v, &m, &err), E_OK);
    assert_true(text_is(m.name, "mandelbrot"));
    assert_int_equal(m.contract, CONTRACT_EXEC);
    assert_true(text_is(m.image_digest, SHA_A));
    assert_true(m.has_blob);
    assert_null(m.reference.s);
    hex_encode(m.blob.b, 32, hex);
    assert_string_equal(hex, HEX_B);
    assert_int_equal(m.environments, ENV_CPU | ENV_AMD);
    assert_true(text_is(m.function, "render"));
    assert_int_equal(json_array_size(m.command), 2);
    assert_string_equal(json_string_value(json_object_get(m.env, "LANG")), "C");
    assert_int_equal(m.limits.memory_mb, 256);
    assert_int_equal(m.limits.output_files, 4);
    assert_int_equal(m.limits.output_bytes, 4194304);
    assert_true(m.min_reward.limb[0] == 1000000000000);
    assert_int_equal(m.max_expiry_s, 3600);
    json_decref(v);
}

static void test_optional_members(void **state)
{
    static const char *const optional[] = {"function", "command", "env", "min_reward",
                                           "max_expiry_s"};
    json_t *v = with("min_reward", NULL);
    struct manifest m;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(optional); i++)
        assert_int_equal(read_with(optional[i], NULL), E_OK);
    assert_int_equal(read_with("limits.card_memory_mb", "24576"), E_OK);
    json_object_del(v, "max_expiry_s");
    assert_int_equal(manifest_read(v, &m, NULL), E_OK);
    assert_true(m.min_reward.limb[0] == 1);
    assert_int_equal(m.max_expiry_s, MANIFEST_EXPIRY_DEFAULT_S);
    json_decref(v);
}

static void test_required_members(void **state)
{
    static const char *const required[] = {"name",
                                           "contract",
                                           "image",
                                           "environments",
                                           "limits",
                                           "image.digest",
                                           "image.blob",
                                           "limits.memory_mb",
                                           "limits.pids",
                                           "limits.cpu_millis",
                                           "limits.timeout_s",
                                           "limits.tmp_mb",
                                           "limits.output_bytes",
                                           "limits.output_files"};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(required); i++)
        assert_int_equal(read_with(required[i], NULL), E_BAD_MANIFEST);
}

static void test_images(void **state)
{
    static const struct {
        const char *image;
        enum err_code want;
    } rows[] = {
        {"{\"digest\":\"" SHA_A "\",\"reference\":\"r.example/a/b@" SHA_A "\"}", E_OK},
        {"{\"digest\":\"" SHA_A "\",\"reference\":\"localhost:5000/a@" SHA_A "\"}", E_OK},
        {"{\"digest\":\"" SHA_A "\",\"reference\":\"r.example/a_b/c.d-e@" SHA_A "\"}", E_OK},
        /* both places, none, another digest, a tag, bad forms */
        {"{\"digest\":\"" SHA_A "\",\"reference\":\"r.example/a@" SHA_A "\",\"blob\":\"" HEX_B
         "\"}",
         E_BAD_MANIFEST},
        {"{\"digest\":\"" SHA_A "\"}", E_BAD_MANIFEST},
        {"{\"digest\":\"" SHA_A "\",\"reference\":\"r.example/a@sha256:" HEX_B "\"}",
         E_BAD_MANIFEST},
        {"{\"digest\":\"" SHA_A "\",\"reference\":\"r.example/a:latest@" SHA_A "\"}",
         E_BAD_MANIFEST},
        {"{\"digest\":\"" SHA_A "\",\"reference\":\"r.example/a:latest\"}", E_BAD_MANIFEST},
        {"{\"digest\":\"" SHA_A "\",\"reference\":\"r.example@" SHA_A "\"}", E_BAD_MANIFEST},
        {"{\"digest\":\"" SHA_A "\",\"reference\":\"/a@" SHA_A "\"}", E_BAD_MANIFEST},
        {"{\"digest\":\"" SHA_A "\",\"reference\":\"r.example//a@" SHA_A "\"}", E_BAD_MANIFEST},
        {"{\"digest\":\"" SHA_A "\",\"reference\":\"r.example/a/@" SHA_A "\"}", E_BAD_MANIFEST},
        {"{\"digest\":\"" SHA_A "\",\"reference\":\"r.example/../a@" SHA_A "\"}", E_BAD_MANIFEST},
        {"{\"digest\":\"" SHA_A "\",\"reference\":\"R.example/a@" SHA_A "\"}", E_BAD_MANIFEST},
        {"{\"digest\":\"" SHA_A "\",\"reference\":\"r.example:/a@" SHA_A "\"}", E_BAD_MANIFEST},
        {"{\"digest\":\"" SHA_A "\",\"reference\":\"r.example:5x/a@" SHA_A "\"}", E_BAD_MANIFEST},
        {"{\"digest\":\"" SHA_A "\",\"reference\":\"http://r.example/a@" SHA_A "\"}",
         E_BAD_MANIFEST},
        {"{\"digest\":\"sha256:" HEX_A "a\",\"blob\":\"" HEX_B "\"}", E_BAD_MANIFEST},
        {"{\"digest\":\"sha512:" HEX_A "\",\"blob\":\"" HEX_B "\"}", E_BAD_MANIFEST},
        {"{\"digest\":\"" HEX_A "\",\"blob\":\"" HEX_B "\"}", E_BAD_MANIFEST},
        {"{\"digest\":\"" SHA_A "\",\"blob\":\"0x" HEX_B "\"}", E_BAD_MANIFEST},
        {"{\"digest\":\"" SHA_A "\",\"blob\":\"" HEX_B "\",\"tag\":\"x\"}", E_BAD_MANIFEST},
        {"\"" SHA_A "\"", E_BAD_MANIFEST},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (read_with("image", rows[i].image) != rows[i].want)
            fail_msg("image %s", rows[i].image);
}

static void test_bad_values(void **state)
{
    static const char *const rows[][2] = {
        {"name", "\"\""},
        {"name", "5"},
        {"name", "\"a\\nb\""},
        {"name", "\"a\\u202eb\""},
        {"contract", "\"docker\""},
        {"contract", "null"},
        {"environments", "[]"},
        {"environments", "[\"cpu\",\"cpu\"]"},
        {"environments", "3"},
        {"environments", "[\"intel\"]"},
        {"function", "\"a/b\""},
        {"function", "\"\""},
        {"function", "\"1a\""},
        {"function", "\"-a\""},
        {"command", "[]"},
        {"command", "[1]"},
        {"command", "\"sh\""},
        {"env", "{\"A=B\":\"x\"}"},
        {"env", "{\"1A\":\"x\"}"},
        {"env", "{\"A\":1}"},
        {"env", "[]"},
        {"limits.memory_mb", "15"},
        {"limits.memory_mb", "1048577"},
        {"limits.memory_mb", "256.5"},
        {"limits.memory_mb", "\"256\""},
        {"limits.pids", "0"},
        {"limits.cpu_millis", "9"},
        {"limits.timeout_s", "0"},
        {"limits.timeout_s", "86401"},
        {"limits.output_files", "65"},
        {"limits.output_bytes", "0"},
        {"limits.gpus", "1"},
        {"limits.card_memory_mb", "0"},
        {"limits.card_memory_mb", "16777217"},
        {"limits.card_memory_mb", "null"},
        {"limits", "[]"},
        {"min_reward", "\"0\""},
        {"min_reward", "1"},
        {"min_reward", "\"-1\""},
        {"max_expiry_s", "0"},
        {"max_expiry_s", "2592001"},
        {"max_expiry_s", "1.5"},
        {"privileged", "true"},
        {"description", "1"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (read_with(rows[i][0], rows[i][1]) != E_BAD_MANIFEST)
            fail_msg("%s = %s was accepted", rows[i][0], rows[i][1]);
}

static void test_no_object_is_refused(void **state)
{
    json_t *v = json_array();
    struct manifest m;

    (void)state;
    assert_int_equal(manifest_read(v, &m, NULL), E_BAD_MANIFEST);
    assert_int_equal(manifest_read(NULL, &m, NULL), E_BAD_MANIFEST);
    json_decref(v);
}

static void test_hash_ignores_the_order_of_members(void **state)
{
    struct arena *a = arena_new();
    struct digest one;
    struct digest two;
    struct text text;
    json_t *v = with("name", "\"mandelbrot\"");
    json_t *moved = json_object();

    (void)state;
    json_object_set(moved, "limits", json_object_get(v, "limits"));
    for (void *it = json_object_iter(v); it; it = json_object_iter_next(v, it))
        json_object_set(moved, json_object_iter_key(it), json_object_iter_value(it));
    assert_int_equal(manifest_canonical(v, a, &text, &one, NULL), E_OK);
    assert_int_equal(manifest_canonical(moved, a, &text, &two, NULL), E_OK);
    assert_memory_equal(one.b, two.b, 32);
    json_object_set_new(moved, "max_expiry_s", json_integer(3601));
    assert_int_equal(manifest_canonical(moved, a, &text, &two, NULL), E_OK);
    assert_memory_not_equal(one.b, two.b, 32);
    json_decref(v);
    json_decref(moved);
    arena_free(a);
}

static void test_environments_both_ways(void **state)
{
    (void)state;
    for (unsigned mask = 1; mask < 8; mask++) {
        json_t *v = environments_json(mask);
        unsigned back = 0;

        assert_int_equal(environments_read(v, &back, NULL), E_OK);
        assert_int_equal(back, mask);
        json_decref(v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_manifest),
        cmocka_unit_test(test_optional_members),
        cmocka_unit_test(test_required_members),
        cmocka_unit_test(test_images),
        cmocka_unit_test(test_bad_values),
        cmocka_unit_test(test_no_object_is_refused),
        cmocka_unit_test(test_hash_ignores_the_order_of_members),
        cmocka_unit_test(test_environments_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
