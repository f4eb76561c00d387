/* SPDX-License-Identifier: MIT */
/* make gpu-check: the CUDA library on a real card against the C twin over a grid of sizes, then
 * rates beside the vendor's.   card_check LIBRARY REFERENCE UUID
 * Exit 0: every result is the twin's; the rates are printed, not judged (targets in docs/gpu.md).
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "lib/hash.h"
#include "workers/kernels/kernels.h"

static const char *uuid;
static char why[KERNELS_WHY_MAX];
static unsigned wrong;
static unsigned right;

static void judge(bool ok, const char *what, const uint32_t g[3])
{
    right += ok;
    wrong += !ok;
    if (!ok)
        printf("WRONG: %s %u x %u x %u %s\n", what, g[0], g[1], g[2], why);
}

static void *fill(size_t n)
{
    void *p = malloc(n + 1);

    if (p == NULL)
        abort();
    random_bytes(p, n);
    return p;
}

/* fp16, bf16 and fp32 get whole numbers from -2 to 2: exact in every order. */
static void *numbers(enum kernels_type type, size_t n)
{
    static const uint32_t bits[][4] = {{0},
                                       {0, 0x3c00, 0x4000, 0xbc00},
                                       {0, 0x3f80, 0x4000, 0xbf80},
                                       {0, 0x3f800000, 0x40000000, 0xbf800000}};
    const size_t size = type == KERNELS_F32 ? 4 : 2;
    uint8_t *p = fill(n * 4);

    for (size_t i = 0; type != KERNELS_INT8 && i < n; i++)
        memcpy(p + size * i, &bits[type][p[size * i] % 4], size);
    return p;
}

static void products(const struct kernels *k)
{
    static const uint32_t grid[][3] = {{1, 128, 64},    {16, 128, 64},    {127, 128, 128},
                                       {128, 256, 256}, {300, 384, 1024}, {513, 512, 4096}};
    static const char *const names[] = {"int8", "fp16", "bf16", "fp32"};

    for (enum kernels_type type = KERNELS_INT8; type <= KERNELS_F32; type++)
        for (size_t i = 0; i < ARRAY_LEN(grid); i++) {
            const size_t bytes = (size_t)grid[i][0] * grid[i][1] * 4;
            void *a = numbers(type, (size_t)grid[i][0] * grid[i][2]);
            void *b = numbers(type, (size_t)grid[i][1] * grid[i][2]);
            void *want = malloc(bytes);
            void *got = malloc(bytes);
            struct kernels_gemm g = {type, a, b, want, grid[i][0], grid[i][1], grid[i][2]};
            int bad = kernels_twin()->gemm(uuid, &g, why);

            g.c = got;
            bad = bad || k->gemm(uuid, &g, why);
            judge(!bad && memcmp(want, got, bytes) == 0, names[type], grid[i]);
            free(a);
            free(b);
            free(want);
            free(got);
        }
}

static void comparisons(const struct kernels *k)
{
    static const uint32_t sizes[] = {1, 255, 65536, 65537, 5000000};

    for (size_t i = 0; i < 3 * ARRAY_LEN(sizes); i++) {
        const uint64_t n = sizes[i / 3];
        const size_t chunks = (n + COMPARE_CHUNK - 1) / COMPARE_CHUNK;
        const struct compare_rule rule = {(enum compare_type)(i % 3), 1e-3, 1e-2, 9, 1e-2, 1};
        uint8_t *a = fill(n * 4);
        uint8_t *e = fill(n * 4);
        struct compare_part *want = calloc(chunks, sizeof(*want));
        struct compare_part *got = calloc(chunks, sizeof(*got));
        const struct kernels_tensors t = {a, e, n};

        memcpy(a, e, n);
        judge(!kernels_twin()->compare(uuid, &rule, &t, want, why) &&
                  !k->compare(uuid, &rule, &t, got, why) &&
                  memcmp(want, got, chunks * sizeof(*want)) == 0,
              "comparison", (const uint32_t[]){sizes[i / 3], (uint32_t)(i % 3), 0});
        free(a);
        free(e);
        free(want);
        free(got);
    }
}

static void leaves(const struct kernels *k)
{
    static const struct gpu_proof_shape shapes[] = {
        {64, 64, 128}, {129, 192, 128}, {1000, 1024, 256}, {300, 4096, 512}};

    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        const struct gpu_proof_shape *s = &shapes[i];
        struct digest *a = calloc(s->rows, sizeof(*a));
        struct digest *b = calloc(s->rows, sizeof(*b));
        struct digest seed;
        void *p = NULL;
        void *q = NULL;
        int bad;

        random_bytes(&seed, sizeof(seed));
        bad = kernels_twin()->proof_begin(uuid, s, &seed, a, &p, why) ||
              k->proof_begin(uuid, s, &seed, b, &q, why);
        judge(!bad && memcmp(a, b, s->rows * sizeof(*a)) == 0, "leaves",
              (const uint32_t[]){s->rows, s->inner, s->cols});
        kernels_twin()->proof_end(p);
        k->proof_end(q);
        free(a);
        free(b);
    }
}

/* A proof of the size that this memory asks for, timed as the gateway would. */
static void whole_proof(const struct kernels *k, int64_t memory_mb)
{
    struct gpu_proof_shape s;
    struct digest seed;
    struct digest *nodes;
    struct err err;
    void *proof;
    int64_t began;

    if (gpu_proof_shape_of(memory_mb, &s, &err) != E_OK)
        return;
    nodes = calloc(row_tree_size(s.rows), sizeof(*nodes));
    random_bytes(&seed, sizeof(seed));
    began = clock_mono_us();
    if (nodes == NULL || k->proof_begin(uuid, &s, &seed, nodes, &proof, why)) {
        printf("proof of %lld MB did not run: %s\n", (long long)memory_mb, why);
        wrong++;
        return;
    }
    row_tree_build(nodes, s.rows);
    printf("proof of %lld MB: %.3f s to the root, %.0f Gop\n", (long long)memory_mb,
           (double)(clock_mono_us() - began) / 1e6, (double)gpu_proof_ops(&s) / 1e9);
    k->proof_end(proof);
    free(nodes);
}

static void rates(const struct kernels *k, const char *reference)
{
    int (*vendor)(double *, double *) = NULL;
    void *lib = dlopen(reference, RTLD_NOW);
    struct kernels_rates r;
    double int8 = 0;
    double copy = 0;

    if (lib != NULL)
        *(void **)&vendor = dlsym(lib, "reference_rates");
    if (vendor == NULL || vendor(&int8, &copy) != 0)
        printf("the vendor's rates are missing\n");
    if (k->bench(uuid, &r, why)) {
        printf("no rates: %s\n", why);
        wrong++;
        /* cppcheck-suppress resourceLeak ; the process ends soon */
        return;
    }
    printf("int8 %.1f Top/s (cuBLASLt %.1f, %.0f %%) fp16 %.1f bf16 %.1f fp32 %.1f Tflop/s\n",
           r.int8_tops, int8, int8 > 0 ? 100 * r.int8_tops / int8 : 0, r.fp16_tflops, r.bf16_tflops,
           r.fp32_tflops);
    printf("copy %.0f GB/s (device copy %.0f, %.0f %%) to card %.1f, from card %.1f GB/s\n",
           r.copy_gb_s, copy, copy > 0 ? 100 * r.copy_gb_s / copy : 0, r.to_card_gb_s,
           r.from_card_gb_s);
    /* cppcheck-suppress resourceLeak ; the process ends soon */
}

int main(int argc, char **argv)
{
    const struct kernels *k;
    struct err err;

    if (argc != 5)
        return 2;
    uuid = argv[3];
    if (kernels_cuda(argv[1], &k, &err) != E_OK) {
        printf("%s\n", err.text);
        return 1;
    }
    products(k);
    comparisons(k);
    leaves(k);
    whole_proof(k, atoll(argv[4]));
    rates(k, argv[2]);
    printf("gpu-check: %u results are the twin's, %u are not\n", right, wrong);
    return wrong || right == 0;
}
