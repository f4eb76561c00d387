/* SPDX-License-Identifier: MIT */
#ifndef TESTS_GPU_SHIM_CUDA_RUNTIME_H
#define TESTS_GPU_SHIM_CUDA_RUNTIME_H

/*
 * A card of paper: enough of the CUDA runtime to run this project's .cu files on a CPU, one block
 * after another, its threads as fibers that change places at __syncthreads(). It shows whether a
 * kernel's indices and orders are right. It shows nothing of speed, of races between warps without
 * a barrier, or of the instructions written in PTX.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <functional>

#define __global__
#define __device__
#define __host__
#define __constant__
#define __shared__   static
#define __align__(n) __attribute__((aligned(n)))

struct dim3 {
    unsigned x, y, z;
    explicit dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
    {
    }
};
struct uint4 {
    uint32_t x, y, z, w;
};

extern dim3 threadIdx, blockIdx, blockDim, gridDim;

/** Every thread of the block comes here before one goes on. */
void __syncthreads(void);
/** Run `body` once for each thread of each block. */
void emulate(dim3 grid, dim3 block, const std::function<void()> &body);

template <typename... P, typename... A>
static void launch(void (*kernel)(P...), dim3 grid, dim3 block, A... args)
{
    emulate(grid, block, [=]() { kernel(args...); });
}

enum cudaError_t { cudaSuccess, cudaErrorMemoryAllocation };
enum cudaMemcpyKind { cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost };
typedef struct timespec *cudaEvent_t;
struct cudaDeviceProp {
    char name[256];
    struct {
        char bytes[16];
    } uuid;
    int major;
};

static inline const char *cudaGetErrorString(cudaError_t e)
{
    return e == cudaSuccess ? "no error" : "out of memory";
}
static inline cudaError_t cudaGetDeviceCount(int *n)
{
    *n = 1;
    return cudaSuccess;
}
/* The card has the UUID that it is asked for by, zeros without: CUDA_VISIBLE_DEVICES chooses. */
static inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp *p, int)
{
    const char *wanted = getenv("CUDA_VISIBLE_DEVICES");
    unsigned byte;

    memset(p, 0, sizeof(*p));
    wanted = wanted != NULL && strncmp(wanted, "GPU-", 4) == 0 ? wanted + 4 : "";
    for (int i = 0; i < 16 && sscanf(wanted, "%2x", &byte) == 1; i++) {
        p->uuid.bytes[i] = (char)byte;
        wanted += wanted[2] == '-' ? 3 : 2;
    }
    strcpy(p->name, "a card of paper");
    p->major = 9;
    return cudaSuccess;
}
static inline cudaError_t cudaSetDevice(int)
{
    return cudaSuccess;
}
static inline cudaError_t cudaMalloc(void **p, size_t n)
{
    *p = n > (size_t)1 << 32 ? NULL : aligned_alloc(256, (n + 255) / 256 * 256);
    return *p ? cudaSuccess : cudaErrorMemoryAllocation;
}
static inline cudaError_t cudaMallocHost(void **p, size_t n)
{
    return cudaMalloc(p, n);
}
static inline cudaError_t cudaFree(void *p)
{
    free(p);
    return cudaSuccess;
}
static inline cudaError_t cudaFreeHost(void *p)
{
    return cudaFree(p);
}
static inline cudaError_t cudaMemset(void *p, int v, size_t n)
{
    memset(p, v, n);
    return cudaSuccess;
}
static inline cudaError_t cudaMemcpy(void *to, const void *from, size_t n, cudaMemcpyKind)
{
    memcpy(to, from, n);
    return cudaSuccess;
}
static inline cudaError_t cudaGetLastError(void)
{
    return cudaSuccess;
}

#endif
