/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "core/gpu_proof.h"
#include "lib/chacha.h"
#include "lib/hash.h"
#include "lib/hex.h"

/* RFC 8439, 2.3.2: one block under the counter 1. */
static void test_the_key_stream_is_chacha20(void **state)
{
    static const char block[] = "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
                                "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e";
    uint8_t key[32];
    uint8_t nonce[12] = {0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0};
    uint8_t out[64];
    char text[129];

    (void)state;
    for (size_t i = 0; i < 32; i++)
        key[i] = (uint8_t)i;
    chacha20_fill(key, nonce, 1, out, sizeof(out));
    hex_encode(out, sizeof(out), text);
    assert_string_equal(text, block);
}

static void test_trees_of_every_size(void **state)
{
    struct digest nodes[256];
    struct digest path[ROW_TREE_DEPTH_MAX];

    (void)state;
    for (size_t n = 1; n < 70; n++) {
        struct digest root;

        assert_true(row_tree_size(n) <= ARRAY_LEN(nodes));
        for (size_t i = 0; i < n; i++)
            nodes[i] = sha256(&i, sizeof(i));
        row_tree_build(nodes, n);
        root = row_tree_root(nodes, n);
        for (size_t i = 0; i < n; i++) {
            const size_t length = row_tree_path(nodes, n, i, path);

            assert_int_equal(length, row_tree_path_length(n, i));
            assert_true(row_tree_holds(&root, n, i, &nodes[i], path, length));
            assert_false(row_tree_holds(&root, n, (i + 1) % n == i ? n : (i + 1) % n, &nodes[i],
                                        path, length));
            assert_false(row_tree_holds(&root, n, i, &nodes[i], path, length + 1));
            if (length == 0)
                continue;
            assert_false(row_tree_holds(&root, n, i, &nodes[i], path, length - 1));
            path[length - 1].b[31] ^= 1;
            assert_false(row_tree_holds(&root, n, i, &nodes[i], path, length));
        }
    }
}

/* The shape of RFC 9162: three leaves are node(node(0, 1), 2). */
static void test_an_odd_leaf_rises(void **state)
{
    struct digest nodes[6];
    struct digest pair;
    struct digest want;

    (void)state;
    for (size_t i = 0; i < 3; i++)
        nodes[i] = sha256(&i, sizeof(i));
    pair = row_tree_node(&nodes[0], &nodes[1]);
    want = row_tree_node(&pair, &nodes[2]);
    row_tree_build(nodes, 3);
    assert_memory_equal(nodes[row_tree_size(3) - 1].b, want.b, 32);
}

static void test_shapes_fill_the_memory(void **state)
{
    static const int64_t cards[] = {4, 1024, 8192, 24576, 81920, 143771, 8388608};
    struct gpu_proof_shape s;
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cards); i++) {
        const uint64_t claim = (uint64_t)cards[i] << 20;

        assert_int_equal(gpu_proof_shape_of(cards[i], &s, &err), E_OK);
        assert_true(gpu_proof_bytes(&s) <= claim / 8 * 7);
        assert_true(gpu_proof_bytes(&s) > claim / 8 * 7 - s.inner - 4 * s.cols);
        assert_true(s.inner <= GPU_PROOF_INNER_MAX && s.cols <= GPU_PROOF_COLS_MAX);
        /* no sum leaves int32: inner products of -128 */
        assert_true((uint64_t)s.inner << 14 < (uint64_t)1 << 31);
    }
    assert_int_equal(gpu_proof_shape_of(0, &s, &err), E_VALIDATION);
    assert_int_equal(gpu_proof_shape_of(-5, &s, &err), E_VALIDATION);
    assert_int_equal(gpu_proof_shape_of(INT64_MAX, &s, &err), E_VALIDATION);
}

/* ---- a whole proof, made by the schoolbook ---- */

static const struct gpu_proof_shape tiny = {.rows = 201, .inner = 192, .cols = 128};

struct proof {
    struct digest seed;
    struct digest draw;
    struct digest root;
    int32_t *c;
    struct digest *nodes;
    struct digest paths[GPU_PROOF_OPENED][ROW_TREE_DEPTH_MAX];
    struct gpu_proof_row opened[GPU_PROOF_OPENED];
};

static int32_t *multiply(const struct digest *seed)
{
    int8_t *a = malloc(tiny.inner);
    int8_t *b = malloc((size_t)tiny.inner * tiny.cols);
    int32_t *c = calloc((size_t)tiny.rows * tiny.cols, sizeof(*c));

    for (size_t k = 0; k < tiny.inner; k++)
        gpu_proof_expand(seed, GPU_MATRIX_B, k, b + k * tiny.cols, tiny.cols);
    for (size_t i = 0; i < tiny.rows; i++) {
        gpu_proof_expand(seed, GPU_MATRIX_A, i, a, tiny.inner);
        for (size_t k = 0; k < tiny.inner; k++)
            for (size_t j = 0; j < tiny.cols; j++)
                c[i * tiny.cols + j] += a[k] * b[k * tiny.cols + j];
    }
    free(a);
    free(b);
    return c;
}

static void commit(struct proof *p)
{
    for (uint32_t i = 0; i < tiny.rows; i++)
        p->nodes[i] = row_tree_leaf(i, p->c + (size_t)i * tiny.cols, tiny.cols);
    row_tree_build(p->nodes, tiny.rows);
    p->root = row_tree_root(p->nodes, tiny.rows);
}

static void open_rows(struct proof *p)
{
    uint32_t at[GPU_PROOF_OPENED];

    gpu_proof_draw(&p->draw, tiny.rows, at);
    for (size_t i = 0; i < GPU_PROOF_OPENED; i++) {
        p->opened[i].path = p->paths[i];
        p->opened[i].path_n = row_tree_path(p->nodes, tiny.rows, at[i], p->paths[i]);
        p->opened[i].values = p->c + (size_t)at[i] * tiny.cols;
    }
}

static struct proof *begin(void)
{
    struct proof *p = calloc(1, sizeof(*p));

    random_bytes(&p->seed, sizeof(p->seed));
    random_bytes(&p->draw, sizeof(p->draw));
    p->c = multiply(&p->seed);
    p->nodes = calloc(row_tree_size(tiny.rows), sizeof(*p->nodes));
    commit(p);
    open_rows(p);
    return p;
}

static void end(struct proof *p)
{
    free(p->c);
    free(p->nodes);
    free(p);
}

static enum err_code check(const struct proof *p)
{
    struct err err;
    enum err_code rc = gpu_proof_check_paths(&tiny, &p->root, &p->draw, p->opened, &err);

    if (rc == E_OK)
        rc = gpu_proof_check_rows(&tiny, &p->seed, &p->draw, p->opened, &err);
    return rc;
}

static void test_an_honest_proof_holds(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct proof *p = begin();

        assert_int_equal(check(p), E_OK);
        end(p);
    }
}

/* One wrong element in one opened row, by one, with a root that commits to it. */
static void test_one_wrong_element_is_found(void **state)
{
    struct proof *p = begin();
    uint32_t at[GPU_PROOF_OPENED];
    struct err err;

    (void)state;
    gpu_proof_draw(&p->draw, tiny.rows, at);
    for (size_t j = 0; j < tiny.cols; j += 9) {
        int32_t *cell = &p->c[(size_t)at[GPU_PROOF_OPENED - 1] * tiny.cols + j];

        *cell += j % 2 ? 1 : -1;
        commit(p);
        open_rows(p);
        assert_int_equal(gpu_proof_check_paths(&tiny, &p->root, &p->draw, p->opened, &err), E_OK);
        assert_int_equal(check(p), E_PROOF_REJECTED);
        *cell -= j % 2 ? 1 : -1;
    }
    commit(p);
    open_rows(p);
    assert_int_equal(check(p), E_OK);
    end(p);
}

/* Rows that are right but were not committed to: a worker that computes after the draw. */
static void test_rows_must_lie_under_the_root(void **state)
{
    struct proof *p = begin();
    struct digest honest = p->root;
    size_t other = 4;

    (void)state;
    p->root.b[0] ^= 1;
    assert_int_equal(check(p), E_PROOF_REJECTED);
    p->root = honest;
    while (p->opened[other].values == p->opened[3].values) /* the draw may name a row twice */
        other++;
    assert_true(other < GPU_PROOF_OPENED);
    p->opened[3] = p->opened[other];
    assert_int_equal(check(p), E_PROOF_REJECTED);
    end(p);
}

/* An old proof for a new seed, and an old opening for a new draw. */
static void test_a_replay_fails(void **state)
{
    struct proof *p = begin();

    (void)state;
    p->draw.b[7] ^= 1;
    assert_int_equal(check(p), E_PROOF_REJECTED);
    open_rows(p);
    assert_int_equal(check(p), E_OK);
    p->seed.b[31] ^= 1;
    assert_int_equal(check(p), E_PROOF_REJECTED);
    end(p);
}

/* A tenth of the rows left out: the measured share that passes fits (1 - f)^64. */
static void test_partial_work_is_found_as_often_as_computed(void **state)
{
    struct proof *p = begin();
    const uint32_t skipped = tiny.rows / 10;
    uint32_t passed = 0;

    (void)state;
    memset(p->c, 0, (size_t)skipped * tiny.cols * sizeof(*p->c));
    commit(p);
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t at[GPU_PROOF_OPENED];
        bool met = false;

        memcpy(p->draw.b, &i, sizeof(i));
        gpu_proof_draw(&p->draw, tiny.rows, at);
        for (size_t k = 0; k < GPU_PROOF_OPENED && !met; k++)
            met = at[k] < skipped;
        passed += !met;
        if (i < 20) {
            open_rows(p);
            assert_int_equal(check(p), met ? E_PROOF_REJECTED : E_OK);
        }
    }
    /* 0.9^64 of 2000 is 2.4; twenty would be a billion times less likely than not */
    assert_true(passed < 20);
    end(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_key_stream_is_chacha20),
        cmocka_unit_test(test_trees_of_every_size),
        cmocka_unit_test(test_an_odd_leaf_rises),
        cmocka_unit_test(test_shapes_fill_the_memory),
        cmocka_unit_test(test_an_honest_proof_holds),
        cmocka_unit_test(test_one_wrong_element_is_found),
        cmocka_unit_test(test_rows_must_lie_under_the_root),
        cmocka_unit_test(test_a_replay_fails),
        cmocka_unit_test(test_partial_work_is_found_as_often_as_computed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
