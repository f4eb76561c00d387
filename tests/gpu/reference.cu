/* SPDX-License-Identifier: MIT */
/* What NVIDIA's own library and a plain device copy reach on the same card, for make gpu-check. */
#include <cublasLt.h>
#include <cuda_runtime.h>

#define SIDE   8192
#define ROUNDS 10
#define COPY   ((size_t)1 << 30)

static double seconds(cudaEvent_t begin, cudaEvent_t end)
{
    float ms = 0;

    cudaEventRecord(end);
    if (cudaEventSynchronize(end) != cudaSuccess ||
        cudaEventElapsedTime(&ms, begin, end) != cudaSuccess)
        return 0;
    return ms / 1e3;
}

/* The same small pattern as in bench.cu is not needed: any bytes that are not all alike do. */
static __global__ void fill(unsigned *p, size_t n)
{
    const size_t i = (size_t)blockIdx.x * blockDim.x + threadIdx.x;
    unsigned x = (unsigned)i * 2654435761u + 12345;

    x ^= x >> 15;
    x *= 2246822519u;
    if (i < n)
        p[i] = x ^ x >> 13;
}

static double int8_rate(char *memory, cudaEvent_t begin, cudaEvent_t end)
{
    const size_t matrix = (size_t)SIDE * SIDE;
    const int one = 1;
    const int zero = 0;
    const cublasOperation_t t = CUBLAS_OP_T;
    cublasLtHandle_t lt;
    cublasLtMatmulDesc_t op;
    cublasLtMatrixLayout_t in;
    cublasLtMatrixLayout_t out;
    double s = 0;

    if (cublasLtCreate(&lt) != CUBLAS_STATUS_SUCCESS ||
        cublasLtMatmulDescCreate(&op, CUBLAS_COMPUTE_32I, CUDA_R_32I) != CUBLAS_STATUS_SUCCESS ||
        cublasLtMatmulDescSetAttribute(op, CUBLASLT_MATMUL_DESC_TRANSA, &t, sizeof(t)) !=
            CUBLAS_STATUS_SUCCESS ||
        cublasLtMatrixLayoutCreate(&in, CUDA_R_8I, SIDE, SIDE, SIDE) != CUBLAS_STATUS_SUCCESS ||
        cublasLtMatrixLayoutCreate(&out, CUDA_R_32I, SIDE, SIDE, SIDE) != CUBLAS_STATUS_SUCCESS)
        return 0;
    fill<<<(unsigned)(matrix / 2 / 256), 256>>>((unsigned *)memory, matrix / 2);
    for (int i = 0; i <= ROUNDS; i++) {
        if (i == 1)
            cudaEventRecord(begin);
        if (cublasLtMatmul(lt, op, &one, memory, in, memory + matrix, in, &zero,
                           memory + 2 * matrix, out, memory + 2 * matrix, out, NULL,
                           memory + 6 * matrix, 64 << 20, 0) != CUBLAS_STATUS_SUCCESS)
            return 0;
    }
    s = seconds(begin, end);
    cublasLtDestroy(lt);
    return s > 0 ? 2.0 * SIDE * SIDE * SIDE * ROUNDS / s / 1e12 : 0;
}

static double copy_rate(char *memory, cudaEvent_t begin, cudaEvent_t end)
{
    double s;

    for (int i = 0; i <= ROUNDS; i++) {
        if (i == 1)
            cudaEventRecord(begin);
        cudaMemcpyAsync(memory + COPY, memory, COPY, cudaMemcpyDeviceToDevice, 0);
    }
    s = seconds(begin, end);
    return s > 0 ? 2.0 * COPY * ROUNDS / s / 1e9 : 0;
}

/** On the first card. @return 0, or 1 when it did not run */
extern "C" __attribute__((visibility("default"))) int reference_rates(double *int8_tops,
                                                                      double *copy_gb_s)
{
    cudaEvent_t begin;
    cudaEvent_t end;
    char *memory = NULL;

    if (cudaEventCreate(&begin) != cudaSuccess || cudaEventCreate(&end) != cudaSuccess ||
        cudaMalloc((void **)&memory, 2 * COPY) != cudaSuccess)
        return 1;
    *int8_tops = int8_rate(memory, begin, end);
    *copy_gb_s = copy_rate(memory, begin, end);
    cudaFree(memory);
    return *int8_tops > 0 && *copy_gb_s > 0 ? 0 : 1;
}
