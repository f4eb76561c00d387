/* SPDX-License-Identifier: MIT */
#include "workers/kernels/card.cuh"

int card_failed(cudaError_t rc, const char *what, char *why)
{
    if (rc == cudaSuccess)
        return 0;
    snprintf(why, KERNELS_WHY_MAX, "%s: %s", what, cudaGetErrorString(rc));
    return 1;
}

static void uuid_text(const cudaDeviceProp *p, char *out, size_t n)
{
    const unsigned char *b = (const unsigned char *)p->uuid.bytes;

    snprintf(out, n, "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
             b[14], b[15]);
}

int card_select(const char *uuid, char *why)
{
    char text[KERNELS_UUID_MAX];
    cudaDeviceProp p;
    int n = 0;

    if (card_failed(cudaGetDeviceCount(&n), "looking for cards", why))
        return 1;
    for (int i = 0; i < n; i++) {
        if (card_failed(cudaGetDeviceProperties(&p, i), "reading a card's properties", why))
            return 1;
        uuid_text(&p, text, sizeof(text));
        if (strcmp(text, uuid) != 0)
            continue;
        if (p.major < 8) {
            snprintf(why, KERNELS_WHY_MAX, "%.100s is older than these kernels (8.0)", p.name);
            return 1;
        }
        return card_failed(cudaSetDevice(i), "selecting the card", why);
    }
    snprintf(why, KERNELS_WHY_MAX, "CUDA sees no card %s", uuid);
    return 1;
}

extern "C" __attribute__((visibility("default"))) const struct kernels *ogpu_kernels(void)
{
    static const struct kernels table = {KERNELS_VERSION, "cuda",         cuda_proof_begin,
                                         cuda_proof_row,  cuda_proof_end, cuda_compare,
                                         cuda_gemm,       cuda_bench};

    return &table;
}
