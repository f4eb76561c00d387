/* SPDX-License-Identifier: MIT */
#include "workers/kernels/card.cuh"

#include <stdlib.h>

#include "workers/kernels/portable.h"

#define PAD     128 /* rows of the product's tiles */
#define THREADS 256

static __constant__ uint32_t table[64] = SHA256_TABLE;

struct key {
    uint32_t words[8];
};

struct product {
    struct gpu_proof_shape shape;
    char uuid[KERNELS_UUID_MAX];
    unsigned char *a;      /* rows padded x inner */
    unsigned char *b;      /* by columns: cols x inner */
    int32_t *c;            /* rows padded x cols */
    unsigned char *leaves; /* rows x 32 */
};

/* A thread a block of 64 bytes; the rows lie one behind the other. */
static __global__ void grow_a(struct key key, uint32_t *out, uint64_t blocks, uint32_t per_row)
{
    const uint64_t i = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x;
    uint32_t nonce[3] = {GPU_MATRIX_A, 0, 0};
    uint32_t block[16];

    if (i >= blocks)
        return;
    nonce[1] = (uint32_t)(i / per_row);
    chacha_block(key.words, nonce, (uint32_t)(i % per_row), block);
    for (int w = 0; w < 16; w++)
        out[i * 16 + w] = block[w];
}

/* B is defined by rows and multiplied by columns: neighbouring threads have neighbouring rows, so
 * that each byte they store is beside another's. */
static __global__ void grow_b(struct key key, unsigned char *out, uint32_t inner, uint32_t cols)
{
    const uint64_t i = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x;
    const uint32_t row = (uint32_t)(i % inner);
    const uint32_t at = (uint32_t)(i / inner);
    const uint32_t nonce[3] = {GPU_MATRIX_B, row, 0};
    uint32_t block[16];

    if (at >= cols / 64)
        return;
    chacha_block(key.words, nonce, at, block);
    for (uint32_t j = 0; j < 64; j++)
        out[(size_t)(at * 64 + j) * inner + row] = (unsigned char)(block[j / 4] >> (j % 4 * 8));
}

static __global__ void hash_rows(const int32_t *c, uint32_t rows, uint32_t cols, uint32_t *leaves)
{
    const uint32_t row = blockIdx.x * blockDim.x + threadIdx.x;

    if (row < rows)
        row_leaf(row, c + (size_t)row * cols, cols, table, leaves + (size_t)row * 8);
}

void cuda_proof_end(void *proof)
{
    struct product *p = (struct product *)proof;
    char why[KERNELS_WHY_MAX];

    if (p == NULL)
        return;
    if (card_select(p->uuid, why) == 0) {
        cudaFree(p->a);
        cudaFree(p->b);
        cudaFree(p->c);
        cudaFree(p->leaves);
    }
    free(p);
}

static int allocate(struct product *p, uint32_t padded, char *why)
{
    const struct gpu_proof_shape *s = &p->shape;

    return card_failed(cudaMalloc((void **)&p->c, (size_t)padded * s->cols * 4),
                       "memory for the product", why) ||
           card_failed(cudaMalloc((void **)&p->a, (size_t)padded * s->inner), "memory for A",
                       why) ||
           card_failed(cudaMalloc((void **)&p->b, (size_t)s->cols * s->inner), "memory for B",
                       why) ||
           card_failed(cudaMalloc((void **)&p->leaves, (size_t)s->rows * 32),
                       "memory for the leaves", why);
}

static int compute(struct product *p, uint32_t padded, const struct digest *seed,
                   struct digest *leaves, char *why)
{
    const struct gpu_proof_shape *s = &p->shape;
    const uint64_t blocks = (uint64_t)padded * (s->inner / 64);
    struct key key;

    memcpy(key.words, seed->b, sizeof(key.words));
    launch(grow_a, dim3(blocks_for(blocks, THREADS)), dim3(THREADS), key, (uint32_t *)p->a, blocks,
           s->inner / 64);
    launch(grow_b, dim3(blocks_for((uint64_t)s->inner * (s->cols / 64), THREADS)), dim3(THREADS),
           key, p->b, s->inner, s->cols);
    card_gemm(KERNELS_INT8, p->a, p->b, p->c, padded, s->cols, s->inner);
    launch(hash_rows, dim3(blocks_for(s->rows, THREADS)), dim3(THREADS), (const int32_t *)p->c,
           s->rows, s->cols, (uint32_t *)p->leaves);
    return card_failed(cudaGetLastError(), "starting the product", why) ||
           card_failed(cudaMemcpy(leaves, p->leaves, (size_t)s->rows * 32, cudaMemcpyDeviceToHost),
                       "the product", why);
}

int cuda_proof_begin(const char *uuid, const struct gpu_proof_shape *shape,
                     const struct digest *seed, struct digest *leaves, void **proof, char *why)
{
    const uint32_t padded = blocks_for(shape->rows, PAD) * PAD;
    struct product *p;

    if (shape->cols % PAD || shape->inner % 64) {
        snprintf(why, KERNELS_WHY_MAX, "columns come by %d and depth by 64", PAD);
        return 1;
    }
    if (card_select(uuid, why))
        return 1;
    p = (struct product *)calloc(1, sizeof(*p));
    if (p == NULL) {
        snprintf(why, KERNELS_WHY_MAX, "there is no memory");
        return 1;
    }
    p->shape = *shape;
    snprintf(p->uuid, sizeof(p->uuid), "%s", uuid);
    if (allocate(p, padded, why) || compute(p, padded, seed, leaves, why)) {
        cuda_proof_end(p);
        return 1;
    }
    *proof = p;
    return 0;
}

int cuda_proof_row(void *proof, uint32_t row, int32_t *values, char *why)
{
    const struct product *p = (const struct product *)proof;
    const size_t cols = p->shape.cols;

    if (row >= p->shape.rows) {
        snprintf(why, KERNELS_WHY_MAX, "there is no row %u", row);
        return 1;
    }
    return card_select(p->uuid, why) ||
           card_failed(cudaMemcpy(values, p->c + row * cols, cols * 4, cudaMemcpyDeviceToHost),
                       "a row", why);
}
