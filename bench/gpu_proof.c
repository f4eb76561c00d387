/* SPDX-License-Identifier: MIT */
/*
 * What one core of a gateway pays to check a device's proof: JSON lines {"memory_mb", "rows",
 * "window_s", "check_s"}, in CPU seconds, for cards of three sizes. The rows are the product's own,
 * so the check goes through all of them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/gpu_proof.h"

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The product's row, so that the check goes through all of them. */
static void multiply(const struct gpu_proof_shape *s, const int8_t *a, const int8_t *b, int32_t *c)
{
    memset(c, 0, s->cols * sizeof(*c));
    for (uint32_t k = 0; k < s->inner; k++)
        for (uint32_t j = 0; j < s->cols; j++)
            c[j] += a[k] * b[(size_t)k * s->cols + j];
}

static void make_rows(const struct gpu_proof_shape *s, const struct digest *seed,
                      const struct digest *draw, int32_t *values)
{
    int8_t *b = malloc((size_t)s->inner * s->cols);
    int8_t *a = malloc(s->inner);
    uint32_t at[GPU_PROOF_OPENED];

    if (!a || !b)
        abort();
    for (uint32_t k = 0; k < s->inner; k++)
        gpu_proof_expand(seed, GPU_MATRIX_B, k, b + (size_t)k * s->cols, s->cols);
    gpu_proof_draw(draw, s->rows, at);
    for (size_t i = 0; i < GPU_PROOF_OPENED; i++) {
        gpu_proof_expand(seed, GPU_MATRIX_A, at[i], a, s->inner);
        multiply(s, a, b, values + i * s->cols);
    }
    free(a);
    free(b);
}

static void measure(int64_t memory_mb)
{
    const struct digest seed = {{1}};
    const struct digest draw = {{2}};
    struct gpu_proof_row rows[GPU_PROOF_OPENED];
    struct gpu_proof_shape s;
    struct err err = {0};
    int32_t *values;
    double begun;

    if (gpu_proof_shape_of(memory_mb, &s, &err) != E_OK)
        abort();
    values = malloc((size_t)GPU_PROOF_OPENED * s.cols * sizeof(*values));
    if (!values)
        abort();
    make_rows(&s, &seed, &draw, values);
    for (size_t i = 0; i < GPU_PROOF_OPENED; i++)
        rows[i] = (struct gpu_proof_row){.values = values + i * s.cols};
    begun = seconds();
    if (gpu_proof_check_rows(&s, &seed, &draw, rows, &err) != E_OK) {
        fprintf(stderr, "honest rows were refused: %s\n", err.text);
        exit(1);
    }
    printf("{\"memory_mb\":%" PRId64 ",\"rows\":%u,\"window_s\":%" PRId64 ",\"check_s\":%.3f}\n",
           memory_mb, s.rows, gpu_proof_window_s(&s), seconds() - begun);
    free(values);
}

int main(void)
{
    measure(24576);
    measure(81920);
    measure(143771);
    return 0;
}
