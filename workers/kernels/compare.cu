/* SPDX-License-Identifier: MIT */
#include "workers/kernels/card.cuh"

/* A block a chunk, a thread a lane: the order of core/compare.h, so that the bits are the same. */

static __device__ uint32_t element_at(enum compare_type type, const void *p, size_t i)
{
    return type == COMPARE_F32 ? ((const uint32_t *)p)[i] : ((const uint16_t *)p)[i];
}

static __global__ void compare_chunks(struct compare_rule rule, const void *actual,
                                      const void *expected, uint64_t n, uint64_t first,
                                      struct compare_part *parts)
{
    __shared__ struct compare_lane lanes[COMPARE_LANES];
    __shared__ struct compare_counts counts[COMPARE_LANES];
    const uint64_t base = (uint64_t)blockIdx.x * COMPARE_CHUNK;
    const uint64_t here = n - base < COMPARE_CHUNK ? n - base : COMPARE_CHUNK;
    const unsigned lane = threadIdx.x;
    struct compare_lane sum = {0, 0};
    struct compare_counts mine;

    compare_counts_clear(&mine);
    for (uint64_t i = lane; i < here; i += COMPARE_LANES)
        compare_pair(&rule, element_at(rule.type, actual, base + i),
                     element_at(rule.type, expected, base + i), first + base + i, &sum, &mine);
    lanes[lane] = sum;
    counts[lane] = mine;
    __syncthreads();
    for (unsigned half = COMPARE_LANES / 2; half > 0; half /= 2) {
        if (lane < half) {
            lanes[lane].err2 = compare_add(lanes[lane].err2, lanes[lane + half].err2);
            lanes[lane].ref2 = compare_add(lanes[lane].ref2, lanes[lane + half].ref2);
            compare_join(&counts[lane], &counts[lane + half]);
        }
        __syncthreads();
    }
    if (lane == 0) {
        parts[blockIdx.x].n = here;
        parts[blockIdx.x].counts = counts[0];
        parts[blockIdx.x].sum = lanes[0];
    }
}

/* Elements that are on the card at once: a gigabyte of fp32. */
#define PIECE ((uint64_t)4096 * COMPARE_CHUNK)

struct buffers {
    void *actual;
    void *expected;
    struct compare_part *parts;
};

static int piece(const struct compare_rule *rule, const struct kernels_tensors *t, uint64_t at,
                 const struct buffers *on_card, struct compare_part *parts, char *why)
{
    const size_t size = rule->type == COMPARE_F32 ? 4 : 2;
    const uint64_t n = t->n - at < PIECE ? t->n - at : PIECE;
    const unsigned chunks = blocks_for(n, COMPARE_CHUNK);

    if (card_failed(cudaMemcpy(on_card->actual, (const char *)t->actual + at * size, n * size,
                               cudaMemcpyHostToDevice),
                    "a tensor", why) ||
        card_failed(cudaMemcpy(on_card->expected, (const char *)t->expected + at * size, n * size,
                               cudaMemcpyHostToDevice),
                    "a tensor", why))
        return 1;
    launch(compare_chunks, dim3(chunks), dim3(COMPARE_LANES), *rule, (const void *)on_card->actual,
           (const void *)on_card->expected, n, at, on_card->parts);
    return card_failed(cudaGetLastError(), "comparing", why) ||
           card_failed(cudaMemcpy(parts + at / COMPARE_CHUNK, on_card->parts,
                                  chunks * sizeof(*parts), cudaMemcpyDeviceToHost),
                       "comparing", why);
}

int cuda_compare(const char *uuid, const struct compare_rule *rule, const struct kernels_tensors *t,
                 struct compare_part *parts, char *why)
{
    const size_t size = rule->type == COMPARE_F32 ? 4 : 2;
    const uint64_t most = t->n < PIECE ? t->n : PIECE;
    struct buffers b = {NULL, NULL, NULL};
    int bad;

    if (t->n == 0)
        return 0;
    bad = card_select(uuid, why) ||
          card_failed(cudaMalloc(&b.actual, most * size), "memory for a tensor", why) ||
          card_failed(cudaMalloc(&b.expected, most * size), "memory for a tensor", why) ||
          card_failed(
              cudaMalloc((void **)&b.parts, blocks_for(most, COMPARE_CHUNK) * sizeof(*b.parts)),
              "memory for the answer", why);
    for (uint64_t at = 0; !bad && at < t->n; at += PIECE)
        bad = piece(rule, t, at, &b, parts, why);
    cudaFree(b.actual);
    cudaFree(b.expected);
    cudaFree(b.parts);
    return bad;
}
