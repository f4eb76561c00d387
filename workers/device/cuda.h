/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_DEVICE_CUDA_H
#define WORKERS_DEVICE_CUDA_H

#include <stddef.h>

#include "workers/device/device.h"

/* The CUDA driver API, found at run time or not at all (no header of CUDA's, no link-time need). */

typedef int cuda_device;
typedef void *cuda_context;
typedef unsigned long long cuda_pointer;

/** The calls that are used; the symbols carry their ABI version. 0 is success. */
struct cuda_calls {
    int (*init)(unsigned);
    int (*version)(int *);
    int (*count)(int *);
    int (*get)(cuda_device *, int);
    int (*name)(char *, int, cuda_device);
    int (*uuid)(unsigned char[16], cuda_device);
    int (*total)(size_t *, cuda_device);
    int (*attribute)(int *, int, cuda_device);
    int (*bus_id)(char *, int, cuda_device);
    int (*context_new)(cuda_context *, unsigned, cuda_device);
    int (*context_free)(cuda_context);
    int (*memory)(size_t *free, size_t *total);
    int (*alloc)(cuda_pointer *, size_t);
    int (*free)(cuda_pointer);
    int (*set)(cuda_pointer, unsigned, size_t words);
    int (*to_host)(void *, cuda_pointer, size_t);
    int (*finish)(void);
};

struct cuda {
    void *lib;
    struct cuda_calls call;
};

/** Open and initialise it. @return NULL where it is missing or has no card; cuda_close() is due. */
struct cuda *cuda_open(void);
void cuda_close(struct cuda *c);

/** Append the cards, for machines where the driver has no NVML (WSL, boards). */
void cuda_cards(const struct cuda *c, struct device_list *out);

#endif
