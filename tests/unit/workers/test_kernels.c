/* SPDX-License-Identifier: MIT */
/* The C twin against the gateway's own mathematics, and the CUDA sources, run on a card of paper
 * (tests/gpu/shim), against the twin. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"
#include "workers/kernels/kernels.h"
#include "workers/kernels/portable.h"

static const struct kernels *paper;
static const char uuid[] = "GPU-00000000-0000-0000-0000-000000000000";
static const struct gpu_proof_shape shapes[] = {{64, 64, 128}, {200, 192, 128}, {129, 1024, 256}};

static void *random_fill(size_t n)
{
    void *p = malloc(n);

    random_bytes(p, n);
    return p;
}

static void test_row_leaves_are_the_trees(void **state)
{
    static const uint32_t table[64] = SHA256_TABLE;
    int32_t *values = random_fill(4096 * sizeof(*values));

    (void)state;
    for (uint32_t n = 1; n <= 4096; n = n < 70 ? n + 1 : n * 2) {
        const struct digest want = row_tree_leaf(n * 77777, values, n);
        uint32_t got[8];

        row_leaf(n * 77777, values, n, table, got);
        assert_memory_equal(got, want.b, sizeof(got));
    }
    free(values);
}

/* The whole proof, made by `k`, judged by what the gateway runs. */
static void prove(const struct kernels *k, const struct gpu_proof_shape *s)
{
    struct digest *nodes = calloc(row_tree_size(s->rows), sizeof(*nodes));
    struct gpu_proof_row rows[GPU_PROOF_OPENED];
    struct digest paths[GPU_PROOF_OPENED][ROW_TREE_DEPTH_MAX];
    uint32_t at[GPU_PROOF_OPENED];
    struct digest seed;
    struct digest draw;
    struct digest root;
    char why[KERNELS_WHY_MAX] = "";
    struct err err;
    void *proof;

    random_bytes(&seed, sizeof(seed));
    random_bytes(&draw, sizeof(draw));
    if (k->proof_begin(uuid, s, &seed, nodes, &proof, why))
        fail_msg("%s: %s", k->name, why);
    row_tree_build(nodes, s->rows);
    root = row_tree_root(nodes, s->rows);
    gpu_proof_draw(&draw, s->rows, at);
    for (size_t i = 0; i < GPU_PROOF_OPENED; i++) {
        int32_t *values = malloc(s->cols * sizeof(*values));

        assert_int_equal(k->proof_row(proof, at[i], values, why), 0);
        /* cppcheck-suppress legacyUninitvar ; row_tree_path() fills it */
        rows[i] = (struct gpu_proof_row){values, paths[i],
                                         row_tree_path(nodes, s->rows, at[i], paths[i])};
    }
    assert_int_equal(k->proof_row(proof, s->rows, NULL, why), 1);
    k->proof_end(proof);
    assert_int_equal(gpu_proof_check_paths(s, &root, &draw, rows, &err), E_OK);
    assert_int_equal(gpu_proof_check_rows(s, &seed, &draw, rows, &err), E_OK);
    for (size_t i = 0; i < GPU_PROOF_OPENED; i++)
        free((void *)(uintptr_t)rows[i].values);
    free(nodes);
}

static void test_the_twin_proves(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
        prove(kernels_twin(), &shapes[i]);
}

static void test_the_cuda_sources_prove(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++)
        prove(paper, &shapes[i]);
}

static void test_leaves_are_the_twins(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        const struct gpu_proof_shape *s = &shapes[i];
        struct digest *a = calloc(s->rows, sizeof(*a));
        struct digest *b = calloc(s->rows, sizeof(*b));
        char why[KERNELS_WHY_MAX];
        struct digest seed;
        void *p;
        void *q;

        random_bytes(&seed, sizeof(seed));
        assert_int_equal(kernels_twin()->proof_begin(uuid, s, &seed, a, &p, why), 0);
        assert_int_equal(paper->proof_begin(uuid, s, &seed, b, &q, why), 0);
        assert_memory_equal(a, b, s->rows * sizeof(*a));
        kernels_twin()->proof_end(p);
        paper->proof_end(q);
        free(a);
        free(b);
    }
}

/* Small whole numbers: their products and sums are exact in every type and order. */
static void *whole_numbers(enum kernels_type type, size_t n)
{
    static const uint16_t f16[] = {0, 0x3c00, 0x4000, 0xbc00, 0xc000};
    static const uint16_t bf16[] = {0, 0x3f80, 0x4000, 0xbf80, 0xc000};
    static const float f32[] = {0, 1, 2, -1, -2};
    uint8_t *out = random_fill(n * 4);

    for (size_t i = 0; i < n; i++) {
        const size_t pick = (size_t)rand() % ARRAY_LEN(f32);

        if (type == KERNELS_F32)
            memcpy(out + 4 * i, &f32[pick], 4);
        else if (type != KERNELS_INT8)
            memcpy(out + 2 * i, type == KERNELS_F16 ? &f16[pick] : &bf16[pick], 2);
    }
    return out; /* int8 keeps its random bytes */
}

static void test_products_are_the_twins(void **state)
{
    static const uint32_t grid[][3] = {
        {1, 128, 64}, {128, 128, 64}, {130, 256, 192}, {40, 384, 128}};

    (void)state;
    for (enum kernels_type type = KERNELS_INT8; type <= KERNELS_F32; type++)
        for (size_t i = 0; i < ARRAY_LEN(grid); i++) {
            const uint32_t *g = grid[i];
            const size_t bytes = (size_t)g[0] * g[1] * 4;
            struct kernels_gemm p = {.type = type, .m = g[0], .n = g[1], .k = g[2]};
            void *want = malloc(bytes);
            void *got = malloc(bytes);
            char why[KERNELS_WHY_MAX];

            p.a = whole_numbers(type, (size_t)p.m * p.k);
            p.b = whole_numbers(type, (size_t)p.n * p.k);
            p.c = want;
            assert_int_equal(kernels_twin()->gemm(uuid, &p, why), 0);
            p.c = got;
            assert_int_equal(paper->gemm(uuid, &p, why), 0);
            assert_memory_equal(want, got, bytes);
            free((void *)(uintptr_t)p.a);
            free((void *)(uintptr_t)p.b);
            free(want);
            free(got);
        }
}

static void test_comparisons_are_the_twins_bit_for_bit(void **state)
{
    static const uint64_t sizes[] = {1, 255, 65536, 65537, 200000};
    struct compare_rule rule = {.atol = 1e-3, .rtol = 1e-2, .max_ulp = 9, .max_l2 = 1e-2};

    (void)state;
    for (int type = COMPARE_F32; type <= COMPARE_BF16; type++)
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
            const uint64_t n = sizes[i];
            const size_t chunks = (n + COMPARE_CHUNK - 1) / COMPARE_CHUNK;
            uint8_t *a = random_fill(n * 4);
            uint8_t *e = random_fill(n * 4);
            struct compare_part *want = calloc(chunks, sizeof(*want));
            struct compare_part *got = calloc(chunks, sizeof(*got));
            const struct kernels_tensors t = {a, e, n};
            char why[KERNELS_WHY_MAX];

            rule.type = (enum compare_type)type;
            rule.nan_equals = i % 2;
            memcpy(a, e, n); /* half equal, half unrelated */
            assert_int_equal(kernels_twin()->compare(uuid, &rule, &t, want, why), 0);
            assert_int_equal(paper->compare(uuid, &rule, &t, got, why), 0);
            for (size_t c = 0; c < chunks; c++)
                assert_memory_equal(&want[c], &got[c], sizeof(*want));
            free(a);
            free(e);
            free(want);
            free(got);
        }
}

static void test_what_is_no_card_says_so(void **state)
{
    static const struct gpu_proof_shape huge = {4000000, 32768, 4096};
    const struct kernels *k;
    struct kernels_rates rates;
    struct digest seed = {{0}};
    char why[KERNELS_WHY_MAX] = "";
    struct err err = {0};
    void *proof;

    (void)state;
    assert_int_equal(kernels_cuda("/nonexistent/library.so", &k, &err), E_IO);
    assert_int_equal(kernels_twin()->bench(uuid, &rates, why), 1);
    assert_int_equal(paper->proof_begin("GPU-absent", &shapes[0], &seed, NULL, &proof, why), 1);
    assert_non_null(strstr(why, "GPU-absent"));
    assert_int_equal(paper->proof_begin(uuid, &huge, &seed, NULL, &proof, why), 1);
    assert_non_null(strstr(why, "memory"));
}

static int find_paper(void **state)
{
    const char *build = getenv("BUILD");
    char path[4096];
    struct err err;

    (void)state;
    snprintf(path, sizeof(path), "%s/tests/gpu/paper-card.so", build ? build : "build");
    if (kernels_cuda(path, &paper, &err) == E_OK)
        return 0;
    fprintf(stderr, "%s\n", err.text);
    return 1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_row_leaves_are_the_trees),
        cmocka_unit_test(test_the_twin_proves),
        cmocka_unit_test(test_the_cuda_sources_prove),
        cmocka_unit_test(test_leaves_are_the_twins),
        cmocka_unit_test(test_products_are_the_twins),
        cmocka_unit_test(test_comparisons_are_the_twins_bit_for_bit),
        cmocka_unit_test(test_what_is_no_card_says_so),
    };

    return cmocka_run_group_tests(tests, find_paper, NULL);
}
