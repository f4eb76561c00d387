/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_KERNELS_KERNELS_H
#define WORKERS_KERNELS_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "core/compare.h"
#include "core/gpu_proof.h"

/*
 * What cards compute, as a table: by CUDA from a library that is found at run time (make kernels),
 * or by its plain C twin, which says what is right. Functions return 0, or 1 with a sentence.
 */

#define KERNELS_VERSION  1
#define KERNELS_WHY_MAX  192
#define KERNELS_UUID_MAX 64

/** What kernels_bench measures. Rates are of this project's own kernels. */
struct kernels_rates {
    double int8_tops;    /**< 10^12 operations a second, int8 x int8 into int32 */
    double fp16_tflops;  /**< into fp32 */
    double bf16_tflops;  /**< into fp32 */
    double fp32_tflops;  /**< without tensor cores */
    double copy_gb_s;    /**< device memory, bytes read and written */
    double to_card_gb_s; /**< over PCIe, pinned */
    double from_card_gb_s;
};

/** Two tensors of `n` elements, in the caller's memory. */
struct kernels_tensors {
    const void *actual;
    const void *expected;
    uint64_t n;
};

enum kernels_type { KERNELS_INT8, KERNELS_F16, KERNELS_BF16, KERNELS_F32 };

/** A product, in the caller's memory: int8 into int32, the others into fp32. */
struct kernels_gemm {
    enum kernels_type type;
    const void *a; /**< m x k, row-major */
    const void *b; /**< by its columns: n x k, row-major */
    void *c;       /**< m x n, row-major */
    uint32_t m;
    uint32_t n; /**< a multiple of 128 */
    uint32_t k; /**< a multiple of 64 */
};

struct kernels {
    int version;      /**< KERNELS_VERSION; first, so that any library can be asked */
    const char *name; /**< "cuda" or "c" */

    /**
     * Compute a proof's product and its leaves; the product stays where it is.
     *
     * @uuid    as the driver gives it, "GPU-..."; the twin ignores it
     * @leaves  room for `rows` digests
     * @proof   to be ended with proof_end()
     */
    int (*proof_begin)(const char *uuid, const struct gpu_proof_shape *shape,
                       const struct digest *seed, struct digest *leaves, void **proof, char *why);
    /** One row of the product, `cols` values. */
    int (*proof_row)(void *proof, uint32_t row, int32_t *values, char *why);
    /** Free the product; NULL allowed. */
    void (*proof_end)(void *proof);

    /** The parts of a comparison, one a chunk, for compare_fold(). */
    int (*compare)(const char *uuid, const struct compare_rule *rule,
                   const struct kernels_tensors *t, struct compare_part *parts, char *why);

    /** C = A B; see struct kernels_gemm. */
    int (*gemm)(const char *uuid, const struct kernels_gemm *g, char *why);

    /** Measure the card. The twin has nothing to measure and says so. */
    int (*bench)(const char *uuid, struct kernels_rates *out, char *why);
};

/** The twin. */
const struct kernels *kernels_twin(void);

/**
 * The CUDA library, when it and a driver are there.
 *
 * @path  of the library; "": ogpu-cuda.so beside the program
 * @out   stays valid for the process's life
 * @return  E_IO with the reason
 */
MUST_CHECK enum err_code kernels_cuda(const char *path, const struct kernels **out,
                                      struct err *err);

/** The one function that the library exports: "ogpu_kernels". */
typedef const struct kernels *(*kernels_export)(void);

#endif
