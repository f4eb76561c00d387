/* SPDX-License-Identifier: MIT */
/* What the agent decides without a network: claims it reads, times it waits, paths it lets images
 * use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/hash.h"
#include "lib/hex.h"
#include "workers/agent/api.h"
#include "workers/agent/claim.h"
#include "workers/agent/sources.h"
#include "workers/image/blobs.h"
#include "workers/image/inside.h"
#include "workers/workshop.h"

static const char manifest[] =
    "{\"name\":\"t\",\"contract\":\"exec\",\"image\":{\"digest\":\"sha256:"
    "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\",\"blob\":"
    "\"a1fce4363854ff888cff4b8e7875d600c2682390412a8cf79b37d0b11148b0fa\"},\"environments\":["
    "\"cpu\"],"
    "\"limits\":{\"memory_mb\":64,\"pids\":8,\"cpu_millis\":1000,\"timeout_s\":60,\"tmp_mb\":1,"
    "\"output_bytes\":1000,\"output_files\":4}}";

/* A claim as a gateway answers it; the caller spoils what it wants. */
static json_t *claim_of(struct arena *a)
{
    struct err err;
    struct text text;
    struct digest hash;
    struct digest input = sha256("{}", 2);
    char hash_hex[65];
    char input_hex[65];
    json_t *m = json_loads(manifest, 0, NULL);
    assert_int_equal(manifest_canonical(m, a, &text, &hash, &err), E_OK);
    hex_encode(hash.b, 32, hash_hex);
    hex_encode(input.b, 32, input_hex);
    return json_pack("{s:s, s:s, s:s, s:i, s:i, s:o, s:s, s:n, s:s, s:s, s:[]}", "attempt",
                     "att_01m826r1fgfa785jf9y9fq15sx", "task", "tsk_01m826rm18fa4azytb7bgkqykk",
                     "source", "src_01m826rk20fh3bns8gc9pxehqh", "epoch", 3, "lease_s", 30,
                     "manifest", m, "manifest_hash", hash_hex, "function", "input", "{}",
                     "input_digest", input_hex, "input_blobs");
}

static void test_claim(void **state)
{
    static const struct {
        const char *member;
        const char *value;
        enum err_code want;
    } spoiled[] = {
        {"attempt", "\"tsk_01m826rm18fa4azytb7bgkqykk\"", E_PEER},
        {"task", "null", E_PEER},
        {"epoch", "0", E_PEER},
        {"epoch", "4294967296", E_PEER},
        {"lease_s", "0", E_PEER},
        {"input", "{}", E_PEER},
        {"input", "\"{ }\"", E_DIGEST_MISMATCH},
        {"manifest_hash", "\"00\"", E_DIGEST_MISMATCH},
        {"manifest", "{}", E_DIGEST_MISMATCH},
    };
    struct claim c;
    struct err err;
    (void)state;
    struct arena *a = arena_new();
    json_t *v = claim_of(a);
    assert_int_equal(claim_read(v, &c, a, &err), E_OK);
    assert_int_equal(c.epoch, 3);
    assert_null(c.function);
    assert_int_equal(c.source.limits.pids, 8);
    json_decref(v);
    for (size_t i = 0; i < ARRAY_LEN(spoiled); i++) {
        v = claim_of(a);
        json_object_set_new(v, spoiled[i].member,
                            json_loads(spoiled[i].value, JSON_DECODE_ANY, NULL));
        assert_int_equal(claim_read(v, &c, a, &err), spoiled[i].want);
        assert_true((c.attempt != NULL) ==
                    (i != 0)); /* known as soon as it can be: to be failed by name */
        json_decref(v);
    }
    arena_free(a);
}

static void test_backoff(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 40; n++) {
        int64_t top = n < 6 ? (int64_t)250 << n : 15000;
        if (top > 15000)
            top = 15000;
        for (int i = 0; i < 50; i++) {
            int64_t ms = api_backoff_ms(n);
            assert_in_range(ms, top / 2, top);
        }
    }
}

static void test_retry(void **state)
{
    struct api_reply r = {.status = 202};
    (void)state;
    assert_false(api_may_retry(E_OK, &r));
    assert_true(api_may_retry(E_PEER, &r));
    assert_true(api_may_retry(E_TIMEOUT, &r));
    assert_false(api_may_retry(E_TOO_LARGE, &r));
    static const int again[] = {401, 429, 500, 502, 503, 504};
    static const int final[] = {400, 403, 404, 409, 422};
    for (size_t i = 0; i < ARRAY_LEN(again); i++)
        assert_true(api_may_retry(E_OK, &(struct api_reply){.status = again[i]}));
    for (size_t i = 0; i < ARRAY_LEN(final); i++)
        assert_false(api_may_retry(E_OK, &(struct api_reply){.status = final[i]}));
    assert_true(api_may_retry(E_OK, &(struct api_reply){.status = 409, .retry_after_s = 1}));
    assert_int_equal(api_asked_ms(&(struct api_reply){.retry_after_s = 7}), 7000);
    assert_int_equal(api_asked_ms(&(struct api_reply){.retry_after_s = INT64_MAX}), 300000);
}

static void test_paths(void **state)
{
    static const struct {
        const char *raw;
        const char *clean;
    } good[] = {{"a/b", "a/b"}, {"/a//b/", "a/b"}, {"./a/./b", "a/b"}, {"", ""},
                {"/", ""},      {"...", "..."},    {"a/..b", "a/..b"}};
    static const char *const bad[] = {"..", "../a", "a/../b", "a/..", "/.."};
    char out[PATH_MAX];
    char deep[300];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_true(inside_clean(good[i].raw, out));
        assert_string_equal(out, good[i].clean);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(inside_clean(bad[i], out));
    memset(deep, 'a', 256);
    deep[256] = '\0';
    assert_false(inside_clean(deep, out)); /* a name beyond NAME_MAX */
    for (size_t i = 0; i < 130; i++)
        deep[i] = i % 2 ? '/' : 'd';
    deep[130] = '\0';
    assert_false(inside_clean(deep, out));
}

static void test_names(void **state)
{
    struct uuid id = {{1}};
    struct sources s;
    struct err err;
    char address[43];
    (void)state;
    assert_true(
        blobs_digest_ok("sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"));
    assert_false(
        blobs_digest_ok("sha256:2D711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"));
    assert_false(
        blobs_digest_ok("sha512:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"));
    assert_false(blobs_digest_ok(NULL));
    job_address(id, address);
    assert_int_equal(strlen(address), 42);
    assert_int_equal(
        sources_open(
            &s,
            &(struct sources_config){
                " src_01m826rk20fh3bns8gc9pxehqh, src_01m826rk20fh3bns8gc9pxehqh,", "", "0", 0, 1},
            NULL, &err),
        E_OK);
    assert_int_equal(s.count, 2);
    sources_close(&s);
    assert_int_equal(
        sources_open(&s, &(struct sources_config){"tsk_01m826rm18fa4azytb7bgkqykk", "", "0", 0, 1},
                     NULL, &err),
        E_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_claim), cmocka_unit_test(test_backoff), cmocka_unit_test(test_retry),
        cmocka_unit_test(test_paths), cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
