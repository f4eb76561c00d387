/* SPDX-License-Identifier: MIT */
/* What the CUDA kernels must compute, in C: the truth of the tests, and the prover of simulated
 * devices. Written for reading, not for speed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workers/kernels/kernels.h"
#include "workers/kernels/portable.h"

static const uint32_t table[64] = SHA256_TABLE;

struct product {
    struct gpu_proof_shape shape;
    int32_t *c;
};

/* `n` bytes, a multiple of 64, of the stream that core/gpu_proof.h describes. */
static void expand(const struct digest *seed, enum gpu_matrix matrix, uint64_t row, int8_t *out,
                   size_t n)
{
    const uint32_t nonce[3] = {matrix, (uint32_t)row, (uint32_t)(row >> 32)};
    uint32_t key[8];
    uint32_t block[16];

    memcpy(key, seed->b, sizeof(key));
    for (size_t at = 0; at < n; at += sizeof(block)) {
        chacha_block(key, nonce, (uint32_t)(at / sizeof(block)), block);
        memcpy(out + at, block, sizeof(block));
    }
}

static void multiply_row(const struct product *p, const int8_t *a, const int8_t *b, int32_t *c)
{
    for (size_t k = 0; k < p->shape.inner; k++)
        for (size_t j = 0; j < p->shape.cols; j++)
            c[j] += a[k] * b[k * p->shape.cols + j];
}

static void end(void *proof)
{
    struct product *p = proof;

    if (p == NULL)
        return;
    free(p->c);
    free(p);
}

static int begin(const char *uuid, const struct gpu_proof_shape *shape, const struct digest *seed,
                 struct digest *leaves, void **proof, char *why)
{
    struct product *p = calloc(1, sizeof(*p));
    int8_t *b = malloc((size_t)shape->inner * shape->cols);
    int8_t *a = malloc(shape->inner);

    (void)uuid;
    if (p != NULL) {
        p->shape = *shape;
        p->c = calloc((size_t)shape->rows * shape->cols, sizeof(*p->c));
    }
    if (p == NULL || p->c == NULL || a == NULL || b == NULL) {
        free(a);
        free(b);
        end(p);
        snprintf(why, KERNELS_WHY_MAX, "there is not enough memory for the product");
        return 1;
    }
    for (size_t k = 0; k < shape->inner; k++)
        expand(seed, GPU_MATRIX_B, k, b + k * shape->cols, shape->cols);
    for (uint32_t i = 0; i < shape->rows; i++) {
        int32_t *row = p->c + (size_t)i * shape->cols;
        uint32_t leaf[8];

        expand(seed, GPU_MATRIX_A, i, a, shape->inner);
        multiply_row(p, a, b, row);
        row_leaf(i, row, shape->cols, table, leaf);
        memcpy(leaves[i].b, leaf, sizeof(leaf));
    }
    free(a);
    free(b);
    *proof = p;
    return 0;
}

static int row_of(void *proof, uint32_t row, int32_t *values, char *why)
{
    const struct product *p = proof;

    if (row >= p->shape.rows) {
        snprintf(why, KERNELS_WHY_MAX, "there is no row %u", row);
        return 1;
    }
    memcpy(values, p->c + (size_t)row * p->shape.cols, p->shape.cols * sizeof(*values));
    return 0;
}

static int compare(const char *uuid, const struct compare_rule *rule,
                   const struct kernels_tensors *t, struct compare_part *parts, char *why)
{
    const size_t step = COMPARE_CHUNK * compare_size(rule->type);

    (void)uuid;
    (void)why;
    for (uint64_t i = 0; i * COMPARE_CHUNK < t->n; i++) {
        const uint64_t left = t->n - i * COMPARE_CHUNK;

        compare_chunk(rule, i, (const uint8_t *)t->actual + i * step,
                      (const uint8_t *)t->expected + i * step,
                      left < COMPARE_CHUNK ? left : COMPARE_CHUNK, &parts[i]);
    }
    return 0;
}

static float element(enum kernels_type type, const void *p, size_t i)
{
    if (type == KERNELS_F32)
        return ((const float *)p)[i];
    return (float)compare_value(type == KERNELS_F16 ? COMPARE_F16 : COMPARE_BF16,
                                ((const uint16_t *)p)[i]);
}

static int32_t dot_whole(const int8_t *a, const int8_t *b, size_t n)
{
    int32_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static float dot_float(const struct kernels_gemm *g, size_t i, size_t j)
{
    float sum = 0;

    for (size_t l = 0; l < g->k; l++)
        sum += element(g->type, g->a, i * g->k + l) * element(g->type, g->b, j * g->k + l);
    return sum;
}

static int gemm(const char *uuid, const struct kernels_gemm *g, char *why)
{
    const size_t k = g->k;

    (void)uuid;
    (void)why;
    for (size_t i = 0; i < g->m; i++)
        for (size_t j = 0; j < g->n; j++)
            if (g->type == KERNELS_INT8)
                ((int32_t *)g->c)[i * g->n + j] =
                    dot_whole((const int8_t *)g->a + i * k, (const int8_t *)g->b + j * k, k);
            else
                ((float *)g->c)[i * g->n + j] = dot_float(g, i, j);
    return 0;
}

static int bench(const char *uuid, struct kernels_rates *out, char *why)
{
    (void)uuid;
    (void)out;
    snprintf(why, KERNELS_WHY_MAX, "the C twin is no card: it has no rates");
    return 1;
}

const struct kernels *kernels_twin(void)
{
    static const struct kernels twin = {.version = KERNELS_VERSION,
                                        .name = "c",
                                        .proof_begin = begin,
                                        .proof_row = row_of,
                                        .proof_end = end,
                                        .compare = compare,
                                        .gemm = gemm,
                                        .bench = bench};

    return &twin;
}
