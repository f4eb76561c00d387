/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "core/manifest.h"
#include "core/verify.h"
#include "eth/sign.h"
#include "lib/hash.h"

#define HEX "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const char manifest[] =
    "{\"contract\":\"exec\",\"environments\":[\"cpu\"],"
    "\"image\":{\"blob\":\"" HEX "\",\"digest\":\"sha256:" HEX "\"},"
    "\"limits\":{\"cpu_millis\":1000,\"memory_mb\":64,\"output_bytes\":100,\"output_files\":1,"
    "\"pids\":8,\"timeout_s\":60,\"tmp_mb\":16},\"name\":\"n\"}";
static const char outputs[] =
    "[{\"media_type\":\"a/b\",\"name\":\"f\",\"sha256\":\"" HEX "\",\"size\":100}]";
static const char too_big[] =
    "[{\"media_type\":\"a/b\",\"name\":\"f\",\"sha256\":\"" HEX "\",\"size\":101}]";

struct fixture {
    struct arena *arena;
    struct signer *signer;
    struct signature sig;
    struct verify_in in;
};

static struct digest digest_of(const char *s)
{
    return sha256(s, strlen(s));
}

/* Sign what `in` says now. */
static void sign_it(struct fixture *f)
{
    f->sig = signer_sign(f->signer, verify_digest(&f->in));
    f->in.signature = bytes_of(f->sig.b, sizeof(f->sig.b));
}

static int setup(void **state)
{
    static struct fixture f;
    static const uint8_t key[32] = {[31] = 42};

    memset(&f, 0, sizeof(f));
    f.arena = arena_new();
    if (signer_from_bytes(key, &f.signer, NULL) != E_OK)
        return -1;
    f.in = (struct verify_in){.domain = {1071, {{1}}},
                              .task = {{1, 2}},
                              .attempt = {{3, 4}},
                              .epoch = 2,
                              .provider = signer_address(f.signer),
                              .manifest = text_of(manifest),
                              .manifest_hash = digest_of(manifest),
                              .input_digest = digest_of("{}"),
                              .outputs = text_of(outputs),
                              .output_digest = digest_of(outputs)};
    sign_it(&f);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    signer_free(f->signer);
    arena_free(f->arena);
    return 0;
}

static enum err_code verify(struct fixture *f)
{
    struct err err = {.code = E_OK};
    enum err_code rc = verify_response(&f->in, f->arena, NULL, &err);

    if (rc != E_OK)
        assert_true(strlen(err.text) > 0);
    return rc;
}

static void test_a_good_response_passes(void **state)
{
    struct fixture *f = *state;
    struct outputs o;

    assert_int_equal(verify(f), E_OK);
    assert_int_equal(verify_response(&f->in, f->arena, &o, NULL), E_OK);
    assert_int_equal(o.n, 1);
    assert_true(text_is(o.items[0].name, "f"));
    assert_int_equal(o.items[0].size, 100);
}

/* The signature covers every member: what is swapped after signing is refused. */
static void test_swapped_members_are_refused(void **state)
{
    struct fixture *f = *state;
    const struct verify_in good = f->in;

    f->in.domain.chain_id++;
    assert_int_equal(verify(f), E_BAD_SIGNATURE);
    f->in = good;
    f->in.domain.contract.b[0]++;
    assert_int_equal(verify(f), E_BAD_SIGNATURE);
    f->in = good;
    f->in.task.b[15]++;
    assert_int_equal(verify(f), E_BAD_SIGNATURE);
    f->in = good;
    f->in.attempt.b[0]++;
    assert_int_equal(verify(f), E_BAD_SIGNATURE);
    f->in = good;
    f->in.epoch++;
    assert_int_equal(verify(f), E_BAD_SIGNATURE);
    f->in = good;
    f->in.provider.b[0]++;
    assert_int_equal(verify(f), E_BAD_SIGNATURE);
    f->in = good;
    f->in.input_digest.b[31]++;
    assert_int_equal(verify(f), E_BAD_SIGNATURE);
    f->in = good;
    f->in.output_digest.b[0]++;
    assert_int_equal(verify(f), E_BAD_SIGNATURE);
    f->in = good;
    f->in.signature.n--;
    assert_int_equal(verify(f), E_BAD_SIGNATURE);
    f->in = good;
    f->sig.b[10] ^= 1;
    assert_int_equal(verify(f), E_BAD_SIGNATURE);
}

/* Signed, but not what the list says, or beyond what the source allows. */
static void test_signed_nonsense_is_refused(void **state)
{
    struct fixture *f = *state;

    f->in.output_digest = digest_of("[]");
    sign_it(f);
    assert_int_equal(verify(f), E_DIGEST_MISMATCH);
    f->in.outputs = text_of(too_big);
    f->in.output_digest = digest_of(too_big);
    sign_it(f);
    assert_int_equal(verify(f), E_VALIDATION);
}

static void test_broken_rows_blame_nobody(void **state)
{
    struct fixture *f = *state;
    const struct verify_in good = f->in;

    f->in.manifest_hash.b[0]++;
    assert_int_equal(verify(f), E_INTERNAL);
    f->in = good;
    f->in.manifest = text_of("{}");
    f->in.manifest_hash = digest_of("{}");
    sign_it(f);
    assert_int_equal(verify(f), E_INTERNAL);
    f->in = good;
    f->in.outputs = text_of("[");
    sign_it(f);
    assert_int_equal(verify(f), E_INTERNAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_good_response_passes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_swapped_members_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_signed_nonsense_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_rows_blame_nobody, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
