/* SPDX-License-Identifier: MIT */
#include "handlers/benchmarks.h"

#include "eth/secp.h"
#include "handlers/sign.h"
#include "lib/clock.h"
#include "lib/hex.h"

/* What a provider's clock may be ahead of ours. */
#define AHEAD_S 300

bool benchmarks_there(const json_t *devices)
{
    size_t i;
    json_t *d;

    json_array_foreach((json_t *)devices, i, d)
    {
        if (json_object_get(d, "benchmarks"))
            return true;
    }
    return false;
}

static uint64_t number(const json_t *b, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(b, name));
}

static struct eip712_benchmark read_one(struct address provider, const json_t *uuid,
                                        const json_t *b)
{
    return (struct eip712_benchmark){
        .provider = provider,
        .device = {json_string_value(uuid), json_string_length(uuid)},
        .version = (uint32_t)number(b, "version"),
        .measured_at = number(b, "measured_at"),
        .int8_gops = number(b, "int8_gops"),
        .fp16_gflops = number(b, "fp16_gflops"),
        .bf16_gflops = number(b, "bf16_gflops"),
        .fp32_gflops = number(b, "fp32_gflops"),
        .copy_mb_s = number(b, "copy_mb_s"),
        .to_card_mb_s = number(b, "to_card_mb_s"),
        .from_card_mb_s = number(b, "from_card_mb_s"),
    };
}

/* @return whether it is in order; op->err otherwise */
static bool check_one(struct op *op, size_t at, const json_t *device)
{
    const json_t *b = json_object_get(device, "benchmarks");
    const json_t *uuid = json_object_get(device, "uuid");
    const json_t *hex = json_object_get(b, "signature");
    struct eip712_domain domain = sign_domain(op->app);
    struct eip712_benchmark m = read_one(op->who.address, uuid, b);
    uint8_t signature[SIGNATURE_SIZE];
    struct err why;

    if (!uuid || m.measured_at > (uint64_t)(clock_wall_us() / 1000000) + AHEAD_S) {
        (void)err_set(&op->err, E_VALIDATION, "/devices/%zu/benchmarks: %s", at,
                      uuid ? "measured_at is in the future" : "the device has no uuid");
        return false;
    }
    if (hex_decode(json_string_value(hex), json_string_length(hex), signature, sizeof(signature)) &&
        secp_check(eip712_benchmark_digest(&domain, &m), bytes_of(signature, sizeof(signature)),
                   m.provider, &why) == E_OK)
        return true;
    (void)err_set(&op->err, E_BAD_SIGNATURE,
                  "/devices/%zu/benchmarks: the signature is not the provider's over this.", at);
    return false;
}

void benchmarks_check(struct op *op, const json_t *devices)
{
    size_t i;
    json_t *d;

    json_array_foreach((json_t *)devices, i, d)
    {
        if (json_object_get(d, "benchmarks") && !check_one(op, i, d))
            return;
    }
}
