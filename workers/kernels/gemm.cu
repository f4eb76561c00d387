/* SPDX-License-Identifier: MIT */
#include "workers/kernels/card.cuh"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <mma.h>

/*
 * One tensor-core product for int8, fp16 and bf16: a block of eight warps makes 128 x 128 of C, in
 * steps of 64 bytes of k, two shared buffers deep. Rows of the buffers are 96 bytes apart: a
 * multiple of 32, which fragments of 16-bit numbers ask for, and not of 128, where all rows share
 * banks.
 */
#define TILE    128
#define STEP    64 /* bytes of k */
#define PITCH   96 /* bytes between rows in shared memory */
#define THREADS 256
#define FRAG    16
#define WARPS_N 4 /* warps beside each other; two above each other */
#define WARP_M  4 /* fragments of a warp, down */
#define WARP_N  2 /* and across */

/* 16 bytes into shared memory, without a stop in registers where the card can. */
static __device__ void copy16(void *to, const void *from)
{
#ifdef __CUDA_ARCH__
    const unsigned at = (unsigned)__cvta_generic_to_shared(to);

    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(at), "l"(from) : "memory");
#else
    memcpy(to, from, 16);
#endif
}

static __device__ void copies_commit(void)
{
#ifdef __CUDA_ARCH__
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/* Wait until at most one group of this thread is under way, or none. */
static __device__ void copies_wait(bool all)
{
#ifdef __CUDA_ARCH__
    if (all)
        asm volatile("cp.async.wait_group 0;" ::: "memory");
    else
        asm volatile("cp.async.wait_group 1;" ::: "memory");
#else
    (void)all;
#endif
}

/* 128 rows of 64 bytes: 512 pieces of 16, two a thread. `pitch` bytes between rows in memory. */
static __device__ void load_tile(unsigned char *to, const unsigned char *from, size_t pitch)
{
    for (unsigned i = threadIdx.x; i < TILE * STEP / 16; i += THREADS) {
        const unsigned row = i / (STEP / 16);
        const unsigned at = i % (STEP / 16) * 16;

        copy16(to + row * PITCH + at, from + row * pitch + at);
    }
}

template <typename T, typename Acc>
static __global__ void tensor_gemm(const T *a, const T *b, Acc *c, uint32_t n, uint32_t k)
{
    namespace wmma = nvcuda::wmma;
    __shared__ __align__(32) unsigned char tile_a[2][TILE * PITCH];
    __shared__ __align__(32) unsigned char tile_b[2][TILE * PITCH];
    const unsigned warp = threadIdx.x / 32;
    const unsigned warp_row = warp / WARPS_N * (WARP_M * FRAG);
    const unsigned warp_col = warp % WARPS_N * (WARP_N * FRAG);
    const size_t pitch = (size_t)k * sizeof(T);
    const unsigned char *from_a = (const unsigned char *)a + (size_t)blockIdx.y * TILE * pitch;
    const unsigned char *from_b = (const unsigned char *)b + (size_t)blockIdx.x * TILE * pitch;
    const unsigned steps = (unsigned)(pitch / STEP);
    wmma::fragment<wmma::accumulator, FRAG, FRAG, FRAG, Acc> acc[WARP_M][WARP_N];

    for (int i = 0; i < WARP_M; i++)
        for (int j = 0; j < WARP_N; j++)
            wmma::fill_fragment(acc[i][j], (Acc)0);
    load_tile(tile_a[0], from_a, pitch);
    load_tile(tile_b[0], from_b, pitch);
    copies_commit();
    for (unsigned s = 0; s < steps; s++) {
        const unsigned now = s & 1;

        if (s + 1 < steps) {
            load_tile(tile_a[now ^ 1], from_a + (size_t)(s + 1) * STEP, pitch);
            load_tile(tile_b[now ^ 1], from_b + (size_t)(s + 1) * STEP, pitch);
            copies_commit();
        }
        copies_wait(s + 1 == steps);
        __syncthreads();
        for (unsigned at = 0; at < STEP / sizeof(T); at += FRAG) {
            wmma::fragment<wmma::matrix_a, FRAG, FRAG, FRAG, T, wmma::row_major> fa[WARP_M];
            wmma::fragment<wmma::matrix_b, FRAG, FRAG, FRAG, T, wmma::col_major> fb[WARP_N];

            for (int i = 0; i < WARP_M; i++)
                wmma::load_matrix_sync(
                    fa[i], (const T *)(tile_a[now] + (warp_row + i * FRAG) * PITCH) + at,
                    PITCH / sizeof(T));
            for (int j = 0; j < WARP_N; j++)
                wmma::load_matrix_sync(
                    fb[j], (const T *)(tile_b[now] + (warp_col + j * FRAG) * PITCH) + at,
                    PITCH / sizeof(T));
            for (int i = 0; i < WARP_M; i++)
                for (int j = 0; j < WARP_N; j++)
                    wmma::mma_sync(acc[i][j], fa[i], fb[j], acc[i][j]);
        }
        __syncthreads(); /* before the next step's copies overwrite what is read here */
    }
    for (int i = 0; i < WARP_M; i++)
        for (int j = 0; j < WARP_N; j++) {
            const size_t row = (size_t)blockIdx.y * TILE + warp_row + i * FRAG;
            const size_t col = (size_t)blockIdx.x * TILE + warp_col + j * FRAG;

            wmma::store_matrix_sync(c + row * n + col, acc[i][j], n, wmma::mem_row_major);
        }
}

/* fp32 on the ordinary units: 64 x 64 of C a block, 4 x 4 a thread. */
#define SIMPLE 64
#define DEPTH  16

static __global__ void simple_gemm(const float *a, const float *b, float *c, uint32_t n, uint32_t k)
{
    __shared__ float ta[DEPTH][SIMPLE + 1];
    __shared__ float tb[DEPTH][SIMPLE + 1];
    const unsigned x = threadIdx.x % 16;
    const unsigned y = threadIdx.x / 16;
    const float *from_a = a + (size_t)blockIdx.y * SIMPLE * k;
    const float *from_b = b + (size_t)blockIdx.x * SIMPLE * k;
    float acc[4][4] = {};

    for (uint32_t at = 0; at < k; at += DEPTH) {
        for (unsigned i = threadIdx.x; i < SIMPLE * DEPTH; i += THREADS) {
            ta[i % DEPTH][i / DEPTH] = from_a[(size_t)(i / DEPTH) * k + at + i % DEPTH];
            tb[i % DEPTH][i / DEPTH] = from_b[(size_t)(i / DEPTH) * k + at + i % DEPTH];
        }
        __syncthreads();
        for (int d = 0; d < DEPTH; d++)
            for (int i = 0; i < 4; i++)
                for (int j = 0; j < 4; j++)
                    acc[i][j] += ta[d][y + 16 * i] * tb[d][x + 16 * j];
        __syncthreads();
    }
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            c[((size_t)blockIdx.y * SIMPLE + y + 16 * i) * n + (size_t)blockIdx.x * SIMPLE + x +
              16 * j] = acc[i][j];
}

void card_gemm(enum kernels_type type, const void *a, const void *b, void *c, uint32_t m_pad,
               uint32_t n, uint32_t k)
{
    const dim3 grid(n / TILE, m_pad / TILE);
    const dim3 fine(n / SIMPLE, m_pad / SIMPLE);

    switch (type) {
    case KERNELS_INT8:
        launch(tensor_gemm<signed char, int>, grid, dim3(THREADS), (const signed char *)a,
               (const signed char *)b, (int *)c, n, k);
        break;
    case KERNELS_F16:
        launch(tensor_gemm<half, float>, grid, dim3(THREADS), (const half *)a, (const half *)b,
               (float *)c, n, k);
        break;
    case KERNELS_BF16:
        launch(tensor_gemm<__nv_bfloat16, float>, grid, dim3(THREADS), (const __nv_bfloat16 *)a,
               (const __nv_bfloat16 *)b, (float *)c, n, k);
        break;
    case KERNELS_F32:
        launch(simple_gemm, fine, dim3(THREADS), (const float *)a, (const float *)b, (float *)c, n,
               k);
        break;
    }
}

int cuda_gemm(const char *uuid, const struct kernels_gemm *g, char *why)
{
    const size_t size = g->type == KERNELS_INT8 ? 1 : g->type == KERNELS_F32 ? 4 : 2;
    const uint32_t m_pad = blocks_for(g->m, TILE) * TILE;
    const size_t rows = (size_t)g->k * size;
    unsigned char *a = NULL;
    unsigned char *b = NULL;
    unsigned char *c = NULL;
    int bad;

    if (g->n % TILE || g->k % STEP || g->m == 0) {
        snprintf(why, KERNELS_WHY_MAX, "columns come by %d and depth by %d", TILE, STEP);
        return 1;
    }
    bad = card_select(uuid, why) ||
          card_failed(cudaMalloc((void **)&a, m_pad * rows), "memory for A", why) ||
          card_failed(cudaMalloc((void **)&b, g->n * rows), "memory for B", why) ||
          card_failed(cudaMalloc((void **)&c, (size_t)m_pad * g->n * 4), "memory for C", why) ||
          card_failed(cudaMemset(a, 0, m_pad * rows), "clearing A", why) ||
          card_failed(cudaMemcpy(a, g->a, g->m * rows, cudaMemcpyHostToDevice), "A", why) ||
          card_failed(cudaMemcpy(b, g->b, g->n * rows, cudaMemcpyHostToDevice), "B", why);
    if (!bad) {
        card_gemm(g->type, a, b, c, m_pad, g->n, g->k);
        bad = card_failed(cudaGetLastError(), "the product", why) ||
              card_failed(cudaMemcpy(g->c, c, (size_t)g->m * g->n * 4, cudaMemcpyDeviceToHost), "C",
                          why);
    }
    cudaFree(a);
    cudaFree(b);
    cudaFree(c);
    return bad;
}
