/* SPDX-License-Identifier: MIT */
#ifndef CORE_GPU_PROOF_H
#define CORE_GPU_PROOF_H

#include <stdint.h>

#include "core/row_tree.h"
#include "lib/err.h"

/*
 * A proof that a machine multiplied large matrices, checked on one core (docs/gpu-proof.md).
 *
 * From a seed that nobody knew before grow A (rows x inner) and B (inner x cols), int8. The prover
 * computes C = A B in int32 (no sum can overflow), commits to C's rows by a Merkle root, and only
 * then learns which rows it must open. The checker draws a vector s and compares C_i s with
 * A_i (B s) modulo 2^61 - 1, after Freivalds: it makes B once, not the product.
 */

#define GPU_PROOF_OPENED    64 /**< rows that are opened, drawn with repetition */
#define GPU_PROOF_INNER_MAX 65536
#define GPU_PROOF_COLS_MAX  4096

/** Sizes of a proof: memory (inner + 4 cols) rows + inner cols, work 2 rows inner cols. */
struct gpu_proof_shape {
    uint32_t rows;
    uint32_t inner; /**< a multiple of 64 */
    uint32_t cols;  /**< a multiple of 64 */
};

enum gpu_matrix { GPU_MATRIX_A = 1, GPU_MATRIX_B = 2 };

/** One opened row: borrowed. */
struct gpu_proof_row {
    const int32_t *values; /**< cols of them */
    const struct digest *path;
    size_t path_n;
};

/**
 * The shape that fills seven eighths of a card's memory.
 *
 * @memory_mb  as the device claims it
 * @return     E_VALIDATION when it is too little to prove anything, or beyond any card
 */
MUST_CHECK enum err_code gpu_proof_shape_of(int64_t memory_mb, struct gpu_proof_shape *out,
                                            struct err *err);

/** Bytes that A, B and C take together. */
uint64_t gpu_proof_bytes(const struct gpu_proof_shape *s);

/** Multiplications and additions of the product. */
uint64_t gpu_proof_ops(const struct gpu_proof_shape *s);

/** Seconds a prover has from challenge to commitment: half a minute, and 10^13 operations/s. */
int64_t gpu_proof_window_s(const struct gpu_proof_shape *s);

/**
 * A row of A or B: the ChaCha20 key stream of the seed with nonce matrix || row (4 and 8 bytes,
 * little-endian), from block 0, as int8.
 *
 * @n  inner or cols
 */
void gpu_proof_expand(const struct digest *seed, enum gpu_matrix matrix, uint64_t row, int8_t *out,
                      size_t n);

/** Which rows a draw names, in the order in which they are opened. @rows numbers to `out` */
void gpu_proof_draw(const struct digest *draw, uint32_t rows, uint32_t out[GPU_PROOF_OPENED]);

/** The most bytes that opened rows take as gpu_proof_read() reads them. */
size_t gpu_proof_opened_max(const struct gpu_proof_shape *s);

/**
 * Opened rows from one piece of memory: for each row of the draw its values and then its path, as
 * long as the tree says.
 *
 * @flat    aligned for int32_t; `rows` point into it
 * @return  E_VALIDATION when the length is not exactly that
 */
MUST_CHECK enum err_code gpu_proof_read(const struct gpu_proof_shape *s, const struct digest *draw,
                                        struct bytes flat, struct gpu_proof_row *rows,
                                        struct err *err);

/**
 * The cheap check: every opened row lies under the root where the draw wants it.
 *
 * @opened  GPU_PROOF_OPENED rows, in the draw's order
 * @return  E_PROOF_REJECTED with the number of the first row that does not
 */
MUST_CHECK enum err_code gpu_proof_check_paths(const struct gpu_proof_shape *s,
                                               const struct digest *root, const struct digest *draw,
                                               const struct gpu_proof_row *opened, struct err *err);

/**
 * The check that costs: the opened rows are rows of A B. Makes B once (inner * cols bytes of key
 * stream) and needs 16 bytes a column and row of B besides; one core.
 *
 * @draw    the same 32 bytes as gpu_proof_check_paths(); the vector comes from it too
 * @return  E_PROOF_REJECTED with the number of the first wrong row
 */
MUST_CHECK enum err_code gpu_proof_check_rows(const struct gpu_proof_shape *s,
                                              const struct digest *seed, const struct digest *draw,
                                              const struct gpu_proof_row *opened, struct err *err);

#endif
