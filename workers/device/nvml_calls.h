/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_DEVICE_NVML_CALLS_H
#define WORKERS_DEVICE_NVML_CALLS_H

#include <stdbool.h>

/*
 * The calls of NVML that are used, with their C types (NVML API reference; the names that carry
 * their version are ABI). All but the first rows may be missing in an old driver: NULL then. 0 is
 * success.
 */

#define NVML_INSUFFICIENT_SIZE 7
#define NVML_GPU_IS_LOST       15
#define NVML_NOT_AVAILABLE     (~0ULL) /**< a figure that the driver does not keep */
#define NVML_EVENT_XID         0x8ULL
#define NVML_INSTANCE_ANY      (~0U) /**< of an event that is no single slice's */

typedef void *nvml_handle;

struct nvml_memory {
    unsigned long long total;
    unsigned long long free;
    unsigned long long used;
};
struct nvml_use {
    unsigned gpu;
    unsigned memory;
};
struct nvml_pci {
    char bus_id_legacy[16];
    unsigned domain;
    unsigned bus;
    unsigned device;
    unsigned pci_device_id;
    unsigned pci_subsystem_id;
    char bus_id[32];
};
struct nvml_process {
    unsigned pid;
    unsigned long long memory;
    unsigned gpu_instance;
    unsigned compute_instance;
};
struct nvml_event {
    nvml_handle device;
    unsigned long long type;
    unsigned long long data; /**< of an XID event: its number */
    unsigned gpu_instance;   /**< the slice that it is laid to, or NVML_INSTANCE_ANY */
    unsigned compute_instance;
};

struct nvml_calls {
    int (*init)(void);
    int (*shutdown)(void);
    int (*count)(unsigned *);
    int (*handle)(unsigned, nvml_handle *);
    int (*name)(nvml_handle, char *, unsigned);
    int (*uuid)(nvml_handle, char *, unsigned);
    int (*memory)(nvml_handle, struct nvml_memory *);
    int (*driver)(char *, unsigned);
    int (*cuda)(int *);
    int (*capability)(nvml_handle, int *, int *);
    int (*architecture)(nvml_handle, unsigned *);
    int (*minor)(nvml_handle, unsigned *);
    int (*pci)(nvml_handle, struct nvml_pci *);
    int (*link_generation)(nvml_handle, unsigned *);
    int (*link_width)(nvml_handle, unsigned *);
    int (*ecc)(nvml_handle, unsigned *, unsigned *);
    int (*mig)(nvml_handle, unsigned *, unsigned *);
    int (*mig_count)(nvml_handle, unsigned *);
    int (*mig_handle)(nvml_handle, unsigned, nvml_handle *);
    int (*gpu_instance)(nvml_handle, unsigned *);
    int (*compute_instance)(nvml_handle, unsigned *);
    int (*power_limit)(nvml_handle, unsigned *);
    int (*power)(nvml_handle, unsigned *);
    int (*temperature)(nvml_handle, unsigned, unsigned *);
    int (*throttle)(nvml_handle, unsigned long long *);
    int (*use)(nvml_handle, struct nvml_use *);
    int (*ecc_errors)(nvml_handle, unsigned, unsigned, unsigned long long *);
    int (*processes)(nvml_handle, unsigned *, struct nvml_process *);
    int (*events_new)(void **);
    int (*events_add)(nvml_handle, unsigned long long, void *);
    int (*events_wait)(void *, struct nvml_event *, unsigned);
    int (*events_free)(void *);
};

/** Find the calls in an opened library. @return whether those without which nothing works are
 * there. */
bool nvml_calls_find(void *lib, struct nvml_calls *out);

#endif
