/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_KERNELS_CARD_CUH
#define WORKERS_KERNELS_CARD_CUH

#include <cuda_runtime.h>

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "workers/kernels/kernels.h"

/* What the CUDA sources share. They use the runtime's API alone, statically linked: the driver is
 * found when the first call is made, or is not, and then every function says so. */

/** Launch through one place: the tests' emulation of a card replaces it. */
#ifdef __CUDACC__
template <typename... P, typename... A>
static void launch(void (*kernel)(P...), dim3 grid, dim3 block, A... args)
{
    kernel<<<grid, block>>>(args...);
}
#endif

/** 0, or 1 with what failed and the runtime's words. */
int card_failed(cudaError_t rc, const char *what, char *why);

/** Make the device of this UUID the thread's current one. */
int card_select(const char *uuid, char *why);

/** Blocks of `per` threads that cover `n`. */
static inline unsigned blocks_for(uint64_t n, unsigned per)
{
    return (unsigned)((n + per - 1) / per);
}

/**
 * C = A B on the card: A m_pad x k, B by its columns n x k, C m_pad x n, all padded to 128 rows.
 * Asynchronous, on the default stream. @m_pad, n multiples of 128; k of 64
 */
void card_gemm(enum kernels_type type, const void *a, const void *b, void *c, uint32_t m_pad,
               uint32_t n, uint32_t k);

/** The library's functions, one source each. */
int cuda_proof_begin(const char *uuid, const struct gpu_proof_shape *shape,
                     const struct digest *seed, struct digest *leaves, void **proof, char *why);
int cuda_proof_row(void *proof, uint32_t row, int32_t *values, char *why);
void cuda_proof_end(void *proof);
int cuda_compare(const char *uuid, const struct compare_rule *rule, const struct kernels_tensors *t,
                 struct compare_part *parts, char *why);
int cuda_gemm(const char *uuid, const struct kernels_gemm *g, char *why);
int cuda_bench(const char *uuid, struct kernels_rates *out, char *why);

#endif
