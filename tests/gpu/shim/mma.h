/* SPDX-License-Identifier: MIT */
#ifndef TESTS_GPU_SHIM_MMA_H
#define TESTS_GPU_SHIM_MMA_H

#include "cuda_runtime.h"

/* Tensor-core fragments of the card of paper: the first lane of a warp holds the whole tile. */
namespace nvcuda {
namespace wmma {

struct matrix_a {};
struct matrix_b {};
struct accumulator {};
struct row_major {};
struct col_major {};
enum layout_t { mem_row_major };

template <typename Use, int M, int N, int K, typename T, typename Layout = void> struct fragment {
    T x[16][16];
};

static inline bool first_lane(void)
{
    return threadIdx.x % 32 == 0;
}

template <typename F, typename V> void fill_fragment(F &f, V v)
{
    for (auto &row : f.x)
        for (auto &e : row)
            e = v;
}

/* Real cards want this of the address; a wrong one faults there and must not pass here. */
static inline void check_aligned(const void *p, size_t pitch_bytes, size_t element)
{
    const size_t unit = element == 1 ? 16 : 32;

    if ((uintptr_t)p % unit || pitch_bytes % unit)
        abort();
}

template <typename U, typename T>
void load_matrix_sync(fragment<U, 16, 16, 16, T, row_major> &f, const T *p, unsigned ldm)
{
    check_aligned(p, ldm * sizeof(T), sizeof(T));
    if (first_lane())
        for (int i = 0; i < 16; i++)
            for (int j = 0; j < 16; j++)
                f.x[i][j] = p[i * ldm + j];
}

template <typename U, typename T>
void load_matrix_sync(fragment<U, 16, 16, 16, T, col_major> &f, const T *p, unsigned ldm)
{
    check_aligned(p, ldm * sizeof(T), sizeof(T));
    if (first_lane())
        for (int i = 0; i < 16; i++)
            for (int j = 0; j < 16; j++)
                f.x[i][j] = p[j * ldm + i];
}

template <typename A, typename B, typename C>
void mma_sync(C &d, const A &a, const B &b, const C &c)
{
    if (!first_lane())
        return;
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++) {
            auto sum = c.x[i][j];

            for (int k = 0; k < 16; k++)
                sum += (decltype(sum))a.x[i][k] * (decltype(sum))b.x[k][j];
            d.x[i][j] = sum;
        }
}

template <typename F, typename T> void store_matrix_sync(T *p, const F &f, unsigned ldm, layout_t)
{
    if (first_lane())
        for (int i = 0; i < 16; i++)
            for (int j = 0; j < 16; j++)
                p[(size_t)i * ldm + j] = f.x[i][j];
}

} // namespace wmma
} // namespace nvcuda

#endif
