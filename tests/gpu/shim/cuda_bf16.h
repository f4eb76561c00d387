/* SPDX-License-Identifier: MIT */
#ifndef TESTS_GPU_SHIM_CUDA_BF16_H
#define TESTS_GPU_SHIM_CUDA_BF16_H

#include "core/compare_math.h"

struct __nv_bfloat16 {
    uint16_t bits;
    explicit operator float() const
    {
        return (float)compare_value(COMPARE_BF16, bits);
    }
};

#endif
