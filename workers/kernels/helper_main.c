/* SPDX-License-Identifier: MIT */
/* The computing process: see helper.h. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/row_tree.h"
#include "lib/clock.h"
#include "lib/hex.h"
#include "workers/kernels/helper.h"

#define QUESTION_MAX 2048
#define NICE_TWIN    10 /* the tasks of strangers go before a proof on the same cores */

/* The product that is held between `prove` and `open`. */
struct work {
    const struct kernels *k;
    const char *uuid;
    struct gpu_proof_shape shape;
    struct digest *nodes;
    void *proof;
};

static void drop(struct work *w)
{
    if (w->nodes)
        w->k->proof_end(w->proof);
    free(w->nodes);
    w->nodes = NULL;
    w->proof = NULL;
}

static bool compute(struct work *w, const struct gpu_proof_shape *shape, const struct digest *seed,
                    char *why)
{
    drop(w);
    w->shape = *shape;
    w->nodes = calloc(row_tree_size(shape->rows), sizeof(*w->nodes));
    if (!w->nodes) {
        snprintf(why, KERNELS_WHY_MAX, "there is no memory for the tree");
        return false;
    }
    if (w->k->proof_begin(w->uuid, shape, seed, w->nodes, &w->proof, why) != 0) {
        free(w->nodes);
        w->nodes = NULL;
        return false;
    }
    row_tree_build(w->nodes, shape->rows);
    return true;
}

/* A small product, which must be what the twin says it is: a card that computes wrong is told
 * before it claims anything. @return operations a second; 0 with the reason */
static double rehearse(struct work *w, bool twin, char *why)
{
    /* Large enough to time on a CPU, small enough for a card of paper. */
    const struct gpu_proof_shape shape = {64, twin ? 1024 : 64, twin ? 256 : 128};
    const struct digest seed = {{42}};
    struct work truth = {.k = kernels_twin(), .uuid = ""};
    int64_t began = clock_mono_us();
    if (!compute(w, &shape, &seed, why))
        return 0;
    int64_t took = clock_mono_us() - began;
    bool right = compute(&truth, &shape, &seed, why);
    if (right) {
        struct digest a = row_tree_root(w->nodes, shape.rows);
        struct digest b = row_tree_root(truth.nodes, shape.rows);
        right = memcmp(&a, &b, sizeof(a)) == 0;
        if (!right)
            snprintf(why, KERNELS_WHY_MAX, "the device computes a small product wrong");
    }
    drop(&truth);
    drop(w);
    return right ? (double)gpu_proof_ops(&shape) * 1e6 / (double)(took > 0 ? took : 1) : 0;
}

static int refuse(const char *why)
{
    printf("no %s\n", why);
    return fflush(stdout) == 0 ? 0 : 1;
}

static bool bench(struct work *w, char *why)
{
    struct kernels_rates r;
    if (w->k->bench(w->uuid, &r, why) != 0)
        return false;
    printf("rates %.17g %.17g %.17g %.17g %.17g %.17g %.17g\n", r.int8_tops, r.fp16_tflops,
           r.bf16_tflops, r.fp32_tflops, r.copy_gb_s, r.to_card_gb_s, r.from_card_gb_s);
    return true;
}

static bool prove(struct work *w, const char *text, char *why)
{
    struct gpu_proof_shape shape;
    struct digest seed;
    char hex[80];
    /* NOLINTNEXTLINE(cert-err34-c): the worker wrote it a moment ago */
    if (sscanf(text, "prove %" SCNu32 " %" SCNu32 " %" SCNu32 " %79s", &shape.rows, &shape.inner,
               &shape.cols, hex) != 4 ||
        shape.rows < 1 || shape.cols > GPU_PROOF_COLS_MAX ||
        !hex_decode(hex, strlen(hex), seed.b, sizeof(seed.b))) {
        snprintf(why, KERNELS_WHY_MAX, "that is no product");
        return false;
    }
    if (!compute(w, &shape, &seed, why))
        return false;
    struct digest root = row_tree_root(w->nodes, shape.rows);
    hex_encode(root.b, sizeof(root.b), hex);
    printf("root %s\n", hex);
    return true;
}

static void put_hex(const void *p, size_t n)
{
    static const char digit[] = "0123456789abcdef";
    const uint8_t *b = p;
    for (size_t i = 0; i < n; i++) {
        putchar(digit[b[i] >> 4]);
        putchar(digit[b[i] & 15]);
    }
}

static bool put_row(struct work *w, uint32_t at, int32_t *values, char *why)
{
    struct digest path[ROW_TREE_DEPTH_MAX];
    if (at >= w->shape.rows) {
        snprintf(why, KERNELS_WHY_MAX, "there is no row %u", at);
        return false;
    }
    if (w->k->proof_row(w->proof, at, values, why) != 0)
        return false;
    size_t n = row_tree_path(w->nodes, w->shape.rows, at, path);
    printf("{\"values\":\"");
    put_hex(values, w->shape.cols * sizeof(*values));
    printf("\",\"path\":[");
    for (size_t i = 0; i < n; i++) {
        printf(i ? ",\"" : "\"");
        put_hex(&path[i], sizeof(path[i]));
        putchar('"');
    }
    printf("]}");
    return true;
}

/* A row that cannot be had ends the line early: what the worker reads then is no JSON. */
static bool open_rows(struct work *w, const char *text, char *why)
{
    static int32_t values[GPU_PROOF_COLS_MAX];
    const char *at = text + strlen("open");
    if (!w->nodes) {
        snprintf(why, KERNELS_WHY_MAX, "there is no product to open");
        return false;
    }
    printf("{\"rows\":[");
    for (int i = 0; i < GPU_PROOF_OPENED; i++) {
        char *end;
        unsigned long row = strtoul(at, &end, 10);
        if (i)
            putchar(',');
        if (end == at || row > UINT32_MAX || !put_row(w, (uint32_t)row, values, why))
            return false;
        at = end;
    }
    printf("]}\n");
    return true;
}

static int serve(struct work *w)
{
    char line[QUESTION_MAX];
    char why[KERNELS_WHY_MAX] = "";
    while (fgets(line, sizeof(line), stdin)) {
        bool good = false;
        if (strcmp(line, "bench\n") == 0)
            good = bench(w, why);
        else if (strncmp(line, "prove ", 6) == 0)
            good = prove(w, line, why);
        else if (strncmp(line, "open ", 5) == 0)
            good = open_rows(w, line, why);
        if (!good)
            (void)refuse(why);
        if (fflush(stdout) != 0)
            return 1;
    }
    return 0;
}

int helper_main(const char *kind, const char *uuid, const char *library)
{
    struct work w = {.k = kernels_twin(), .uuid = uuid};
    char why[KERNELS_WHY_MAX] = "";
    struct err err;
    bool twin = strcmp(kind, "cuda") != 0;
    /* Who was orphaned before this finds its input at an end. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        return 1;
    /* A context on this device alone: the others' memory is not ours to touch. */
    if (!twin && setenv("CUDA_VISIBLE_DEVICES", uuid, 1) != 0)
        return 1;
    if (!twin && kernels_cuda(library, &w.k, &err) != E_OK)
        return refuse(err.text);
    errno = 0;
    if (twin && nice(NICE_TWIN) == -1 && errno != 0)
        return 1;
    double rate = rehearse(&w, twin, why);
    if (rate == 0)
        return refuse(why);
    printf("ready %.17g\n", rate);
    int rc = fflush(stdout) == 0 ? serve(&w) : 1;
    drop(&w);
    return rc;
}
