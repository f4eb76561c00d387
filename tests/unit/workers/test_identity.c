/* SPDX-License-Identifier: MIT */
/* A signer that is away: whoever needs a signature gets an error, never something in its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "workers/agent/identity.h"
#include "workers/agent/rates.h"

static struct identity me = {.mutex = PTHREAD_MUTEX_INITIALIZER,
                             .signer_socket = "/nowhere/signer.sock"};

static void test_signature(void **state)
{
    (void)state;
    struct err err;
    struct digest digest = {{1}};
    char out[SIGNATURE_TEXT_MAX] = "as it was";
    assert_int_equal(identity_sign(&me, digest, out, &err), E_PEER);
    assert_non_null(strstr(err.text, "no answer from the signer at /nowhere/signer.sock"));
    assert_string_equal(out, "as it was");
}

static void test_registration(void **state)
{
    (void)state;
    struct err err;
    json_t *body = NULL;
    assert_int_equal(identity_registration(&me, false, &body, &err), E_PEER);
    assert_null(body);
}

static void test_rates(void **state)
{
    (void)state;
    static const struct kernels_rates rates = {.int8_tops = 1,
                                               .fp16_tflops = 1,
                                               .bf16_tflops = 1,
                                               .fp32_tflops = 1,
                                               .copy_gb_s = 1,
                                               .to_card_gb_s = 1,
                                               .from_card_gb_s = 1};
    struct err err;
    json_t *v = NULL;
    assert_int_equal(rates_json(&me, "GPU-0", &rates, 1, &v, &err), E_PEER);
    assert_null(v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signature),
        cmocka_unit_test(test_registration),
        cmocka_unit_test(test_rates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
