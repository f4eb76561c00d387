/* SPDX-License-Identifier: MIT */
#include "workers/kernels/card.cuh"

/* Rates of this project's own kernels, timed by the card's events. Random bytes, not zeros: a card
 * multiplies zeros faster, because they cost less power. */

#define SIDE   8192
#define ROUNDS 10
#define COPY   ((size_t)1 << 30)

static __global__ void fill(uint32_t *p, uint64_t n, uint32_t mask, uint32_t bits)
{
    const uint64_t i = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x;
    uint32_t x = (uint32_t)i * 2654435761u + 12345;

    if (i >= n)
        return;
    x ^= x >> 15;
    x *= 2246822519u;
    x ^= x >> 13;
    p[i] = (x & mask) | bits;
}

static __global__ void copy(const uint4 *from, uint4 *to, uint64_t n)
{
    const uint64_t step = (uint64_t)gridDim.x * blockDim.x;

    for (uint64_t i = (uint64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += step)
        to[i] = from[i];
}

struct clock {
    cudaEvent_t begin;
    cudaEvent_t end;
};

/* Seconds between the events; 0 when a call failed. */
static double elapsed(const struct clock *c)
{
    float ms = 0;

    if (cudaEventSynchronize(c->end) != cudaSuccess ||
        cudaEventElapsedTime(&ms, c->begin, c->end) != cudaSuccess)
        return 0;
    return ms / 1e3;
}

/* What random words become, so that they are numbers between 1/8 and 2: no NaN, no denormal. */
static void numbers(enum kernels_type type, uint32_t *mask, uint32_t *bits)
{
    static const uint32_t masks[] = {0xffffffffu, 0x8fff8fffu, 0x80ff80ffu, 0x80ffffffu};
    static const uint32_t set[] = {0, 0x30003000u, 0x3f003f00u, 0x3e000000u};

    *mask = masks[type];
    *bits = set[type];
}

static double gemm_rate(enum kernels_type type, unsigned char *memory, const struct clock *c)
{
    const size_t size = type == KERNELS_INT8 ? 1 : type == KERNELS_F32 ? 4 : 2;
    const size_t matrix = (size_t)SIDE * SIDE * size;
    uint32_t mask;
    uint32_t bits;
    double s;

    numbers(type, &mask, &bits);
    launch(fill, dim3(blocks_for(matrix / 2, 256)), dim3(256), (uint32_t *)memory,
           (uint64_t)(matrix / 2), mask, bits);
    for (int i = 0; i <= ROUNDS; i++) {
        if (i == 1)
            cudaEventRecord(c->begin);
        card_gemm(type, memory, memory + matrix, memory + 2 * matrix, SIDE, SIDE, SIDE);
    }
    cudaEventRecord(c->end);
    s = elapsed(c);
    return s > 0 ? 2.0 * SIDE * SIDE * SIDE * ROUNDS / s / 1e12 : 0;
}

static double copy_rate(unsigned char *memory, const struct clock *c)
{
    double s;

    for (int i = 0; i <= ROUNDS; i++) {
        if (i == 1)
            cudaEventRecord(c->begin);
        launch(copy, dim3(4096), dim3(512), (const uint4 *)memory, (uint4 *)(memory + COPY),
               (uint64_t)(COPY / 16));
    }
    cudaEventRecord(c->end);
    s = elapsed(c);
    return s > 0 ? 2.0 * COPY * ROUNDS / s / 1e9 : 0;
}

static double link_rate(void *to, const void *from, cudaMemcpyKind kind, const struct clock *c)
{
    double s;

    for (int i = 0; i <= ROUNDS; i++) {
        if (i == 1)
            cudaEventRecord(c->begin);
        cudaMemcpyAsync(to, from, COPY / 4, kind, 0);
    }
    cudaEventRecord(c->end);
    s = elapsed(c);
    return s > 0 ? (double)(COPY / 4) * ROUNDS / s / 1e9 : 0;
}

int cuda_bench(const char *uuid, struct kernels_rates *out, char *why)
{
    struct clock c = {};
    unsigned char *memory = NULL;
    void *pinned = NULL;
    struct kernels_rates r = {};
    int bad = card_select(uuid, why) || card_failed(cudaEventCreate(&c.begin), "an event", why) ||
              card_failed(cudaEventCreate(&c.end), "an event", why) ||
              card_failed(cudaMalloc((void **)&memory, 2 * COPY), "memory", why) ||
              card_failed(cudaMallocHost(&pinned, COPY / 4), "pinned memory", why);

    if (!bad) {
        r.int8_tops = gemm_rate(KERNELS_INT8, memory, &c);
        r.fp16_tflops = gemm_rate(KERNELS_F16, memory, &c);
        r.bf16_tflops = gemm_rate(KERNELS_BF16, memory, &c);
        r.fp32_tflops = gemm_rate(KERNELS_F32, memory, &c);
        r.copy_gb_s = copy_rate(memory, &c);
        r.to_card_gb_s = link_rate(memory, pinned, cudaMemcpyHostToDevice, &c);
        r.from_card_gb_s = link_rate(pinned, memory, cudaMemcpyDeviceToHost, &c);
        bad = card_failed(cudaDeviceSynchronize(), "measuring", why);
    }
    if (!bad)
        *out = r;
    cudaFreeHost(pinned);
    cudaFree(memory);
    if (c.begin)
        cudaEventDestroy(c.begin);
    if (c.end)
        cudaEventDestroy(c.end);
    return bad;
}
