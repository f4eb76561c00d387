/* SPDX-License-Identifier: MIT */
#ifndef TESTS_GPU_SHIM_CUDA_FP16_H
#define TESTS_GPU_SHIM_CUDA_FP16_H

#include "core/compare_math.h"

struct half {
    uint16_t bits;
    explicit operator float() const
    {
        return (float)compare_value(COMPARE_F16, bits);
    }
};

#endif
