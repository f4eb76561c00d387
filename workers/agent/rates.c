/* SPDX-License-Identifier: MIT */
#include "workers/agent/rates.h"

#include <math.h>

/* What openapi/schemas/provider.yaml takes: a driver's nonsense is not to be signed. */
#define OPS_MAX  20000000
#define FP32_MAX 2000000
#define COPY_MAX 100000000
#define LINK_MAX 2000000

/* Thousandths of a rate as a whole number: 10^12 becomes 10^9, 10^9 becomes 10^6. */
static bool thousandths(double rate, uint64_t max, uint64_t *out)
{
    double v = rate * 1000;
    if (!isfinite(v) || v < 1 || v > (double)max)
        return false;
    *out = (uint64_t)v;
    return true;
}

enum err_code rates_json(const struct identity *me, const char *uuid, const struct kernels_rates *r,
                         int64_t at_s, json_t **out, struct err *err)
{
    char signature[SIGNATURE_TEXT_MAX];
    struct eip712_benchmark b = {.provider = me->address,
                                 .device = text_of(uuid),
                                 .version = KERNELS_VERSION,
                                 .measured_at = (uint64_t)at_s};
    if (!thousandths(r->int8_tops, OPS_MAX, &b.int8_gops) ||
        !thousandths(r->fp16_tflops, OPS_MAX, &b.fp16_gflops) ||
        !thousandths(r->bf16_tflops, OPS_MAX, &b.bf16_gflops) ||
        !thousandths(r->fp32_tflops, FP32_MAX, &b.fp32_gflops) ||
        !thousandths(r->copy_gb_s, COPY_MAX, &b.copy_mb_s) ||
        !thousandths(r->to_card_gb_s, LINK_MAX, &b.to_card_mb_s) ||
        !thousandths(r->from_card_gb_s, LINK_MAX, &b.from_card_mb_s))
        return err_set(err, E_RANGE, "the rates make no sense: %g %g %g %g %g %g %g", r->int8_tops,
                       r->fp16_tflops, r->bf16_tflops, r->fp32_tflops, r->copy_gb_s,
                       r->to_card_gb_s, r->from_card_gb_s);
    enum err_code rc = identity_sign(me, eip712_benchmark_digest(&me->domain, &b), signature, err);
    if (rc != E_OK)
        return rc;
    *out =
        json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "version", KERNELS_VERSION,
                  "measured_at", (json_int_t)b.measured_at, "int8_gops", (json_int_t)b.int8_gops,
                  "fp16_gflops", (json_int_t)b.fp16_gflops, "bf16_gflops",
                  (json_int_t)b.bf16_gflops, "fp32_gflops", (json_int_t)b.fp32_gflops, "copy_mb_s",
                  (json_int_t)b.copy_mb_s, "to_card_mb_s", (json_int_t)b.to_card_mb_s,
                  "from_card_mb_s", (json_int_t)b.from_card_mb_s, "signature", signature);
    return *out ? E_OK : err_set(err, E_INTERNAL, "no memory");
}
