/* SPDX-License-Identifier: MIT */
#include "core/gpu_proof.h"

#include <stdlib.h>
#include <string.h>

#include "lib/chacha.h"

#define MIB (1024LL * 1024)

/* Shapes of a card, and of the little memories that simulated devices of tests claim. */
#define CARD_MB     1024
#define CARD_INNER  32768
#define CARD_COLS   4096
#define SMALL_INNER 1024
#define SMALL_COLS  256
#define MEMORY_MAX  (8LL * 1024 * 1024) /* 8 TiB: rows stay far below 2^32 */

#define WINDOW_BASE_S    30
#define WINDOW_OPS_PER_S 10000000000000ULL

/* The field of the check: 2^61 - 1 is prime, and reduction is a shift. */
#define P ((1ULL << 61) - 1)

enum err_code gpu_proof_shape_of(int64_t memory_mb, struct gpu_proof_shape *out, struct err *err)
{
    const bool card = memory_mb >= CARD_MB;
    const int64_t inner = card ? CARD_INNER : SMALL_INNER;
    const int64_t cols = card ? CARD_COLS : SMALL_COLS;
    const bool possible = memory_mb >= 0 && memory_mb <= MEMORY_MAX;
    const int64_t room = possible ? memory_mb * MIB / 8 * 7 - inner * cols : 0;
    const int64_t rows = room / (inner + 4 * cols);

    if (rows < GPU_PROOF_OPENED)
        return err_set(err, E_VALIDATION, "a device of %lld MB has nothing to prove with",
                       (long long)memory_mb);
    *out = (struct gpu_proof_shape){(uint32_t)rows, (uint32_t)inner, (uint32_t)cols};
    return E_OK;
}

uint64_t gpu_proof_bytes(const struct gpu_proof_shape *s)
{
    return (uint64_t)s->rows * (s->inner + 4 * s->cols) + (uint64_t)s->inner * s->cols;
}

uint64_t gpu_proof_ops(const struct gpu_proof_shape *s)
{
    return 2 * (uint64_t)s->rows * s->inner * s->cols;
}

int64_t gpu_proof_window_s(const struct gpu_proof_shape *s)
{
    return WINDOW_BASE_S + (int64_t)(gpu_proof_ops(s) / WINDOW_OPS_PER_S);
}

/* Nonces: 4 bytes of purpose, 8 of number, little-endian. */
static void stream(const struct digest *key, uint32_t purpose, uint64_t number, void *out, size_t n)
{
    uint8_t nonce[12];

    memcpy(nonce, &purpose, 4);
    memcpy(nonce + 4, &number, 8);
    chacha20_fill(key->b, nonce, 0, out, n);
}

void gpu_proof_expand(const struct digest *seed, enum gpu_matrix matrix, uint64_t row, int8_t *out,
                      size_t n)
{
    stream(seed, matrix, row, out, n);
}

enum { DRAW_ROWS = 1, DRAW_VECTOR = 2 };

void gpu_proof_draw(const struct digest *draw, uint32_t rows, uint32_t out[GPU_PROOF_OPENED])
{
    uint64_t wide[GPU_PROOF_OPENED];

    stream(draw, DRAW_ROWS, 0, wide, sizeof(wide));
    for (size_t i = 0; i < GPU_PROOF_OPENED; i++)
        out[i] = (uint32_t)(wide[i] % rows); /* the bias is below rows / 2^64 */
}

size_t gpu_proof_opened_max(const struct gpu_proof_shape *s)
{
    return GPU_PROOF_OPENED * ((size_t)s->cols * 4 + ROW_TREE_DEPTH_MAX * sizeof(struct digest));
}

enum err_code gpu_proof_read(const struct gpu_proof_shape *s, const struct digest *draw,
                             struct bytes flat, struct gpu_proof_row *rows, struct err *err)
{
    const size_t width = (size_t)s->cols * 4;
    uint32_t at[GPU_PROOF_OPENED];
    size_t used = 0;

    gpu_proof_draw(draw, s->rows, at);
    for (size_t i = 0; i < GPU_PROOF_OPENED; i++) {
        const size_t path_n = row_tree_path_length(s->rows, at[i]);
        const uint8_t *p = flat.p + used;

        used += width + path_n * sizeof(struct digest);
        if (used > flat.n)
            return err_set(err, E_VALIDATION, "the opened rows end too early");
        rows[i] = (struct gpu_proof_row){(const int32_t *)(const void *)p,
                                         (const struct digest *)(p + width), path_n};
    }
    if (used != flat.n)
        return err_set(err, E_VALIDATION, "there is something behind the opened rows");
    return E_OK;
}

enum err_code gpu_proof_check_paths(const struct gpu_proof_shape *s, const struct digest *root,
                                    const struct digest *draw, const struct gpu_proof_row *opened,
                                    struct err *err)
{
    uint32_t at[GPU_PROOF_OPENED];

    gpu_proof_draw(draw, s->rows, at);
    for (size_t i = 0; i < GPU_PROOF_OPENED; i++) {
        const struct gpu_proof_row *r = &opened[i];
        const struct digest leaf = row_tree_leaf(at[i], r->values, s->cols);

        if (!row_tree_holds(root, s->rows, at[i], &leaf, r->path, r->path_n))
            return err_set(err, E_PROOF_REJECTED, "row %u does not lie under the root", at[i]);
    }
    return E_OK;
}

/* ---- arithmetic modulo P ---- */

/* 0 <= x < 2^64 to 0..P-1 */
static uint64_t reduce(uint64_t x)
{
    x = (x & P) + (x >> 61);
    return x >= P ? x - P : x;
}

static uint64_t reduce_signed(int64_t x)
{
    const uint64_t m = reduce(x < 0 ? 0 - (uint64_t)x : (uint64_t)x);

    return x < 0 && m ? P - m : m;
}

/* x 2^31 for x < P: a rotation of 61 bits. */
static uint64_t shift31(uint64_t x)
{
    return reduce(((x << 31) & P) | x >> 30);
}

/* A vector over the field in halves of 31 and 30 bits: products with small numbers stay in 64. */
struct halves {
    int32_t lo;
    int32_t hi;
};

static struct halves split(uint64_t x)
{
    return (struct halves){(int32_t)(x & 0x7fffffff), (int32_t)(x >> 31)};
}

/* At most 65536 terms below 2^7 2^31: far from overflow. */
static uint64_t dot_int8(const int8_t *a, const struct halves *v, size_t n)
{
    int64_t lo = 0;
    int64_t hi = 0;

    for (size_t i = 0; i < n; i++) {
        lo += (int64_t)a[i] * v[i].lo;
        hi += (int64_t)a[i] * v[i].hi;
    }
    return reduce(reduce_signed(lo) + shift31(reduce_signed(hi)));
}

static uint64_t dot_int32(const int32_t *c, const struct halves *v, size_t n)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        const uint64_t lo = reduce_signed((int64_t)c[i] * v[i].lo);
        const uint64_t hi = shift31(reduce_signed((int64_t)c[i] * v[i].hi));

        sum = reduce(sum + lo + hi);
    }
    return sum;
}

/* s: cols numbers of 61 bits. P itself counts as 0, so that 0 has two chances in 2^61. */
static void draw_vector(const struct digest *draw, struct halves *s, size_t n)
{
    uint64_t *wide = calloc(n, sizeof(*wide));

    if (wide == NULL)
        abort();
    stream(draw, DRAW_VECTOR, 0, wide, n * sizeof(*wide));
    for (size_t i = 0; i < n; i++)
        s[i] = split(reduce(wide[i] & P));
    free(wide);
}

/* v = B s, row by row of B. */
static void product(const struct gpu_proof_shape *shape, const struct digest *seed,
                    const struct halves *s, struct halves *v)
{
    int8_t row[GPU_PROOF_COLS_MAX];

    for (uint32_t k = 0; k < shape->inner; k++) {
        gpu_proof_expand(seed, GPU_MATRIX_B, k, row, shape->cols);
        v[k] = split(dot_int8(row, s, shape->cols));
    }
}

enum err_code gpu_proof_check_rows(const struct gpu_proof_shape *s, const struct digest *seed,
                                   const struct digest *draw, const struct gpu_proof_row *opened,
                                   struct err *err)
{
    struct halves *vector = calloc(s->cols, sizeof(*vector));
    struct halves *v = calloc(s->inner, sizeof(*v));
    int8_t *a = calloc(s->inner, 1);
    uint32_t at[GPU_PROOF_OPENED];
    enum err_code rc = E_OK;

    if (vector == NULL || v == NULL || a == NULL)
        abort();
    if (s->inner > GPU_PROOF_INNER_MAX || s->cols > GPU_PROOF_COLS_MAX)
        rc = err_set(err, E_INTERNAL, "a proof of that shape was never asked for");
    if (rc == E_OK) {
        gpu_proof_draw(draw, s->rows, at);
        draw_vector(draw, vector, s->cols);
        product(s, seed, vector, v);
    }
    for (size_t i = 0; rc == E_OK && i < GPU_PROOF_OPENED; i++) {
        gpu_proof_expand(seed, GPU_MATRIX_A, at[i], a, s->inner);
        if (dot_int32(opened[i].values, vector, s->cols) != dot_int8(a, v, s->inner))
            rc = err_set(err, E_PROOF_REJECTED, "row %u is not a row of the product", at[i]);
    }
    free(vector);
    free(v);
    free(a);
    return rc;
}
