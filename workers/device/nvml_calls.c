/* SPDX-License-Identifier: MIT */
#include "workers/device/nvml_calls.h"

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#include "lib/err.h"

static const struct {
    const char *symbol;
    size_t offset;
    bool needed;
} rows[] = {
    {"nvmlInit_v2", offsetof(struct nvml_calls, init), true},
    {"nvmlShutdown", offsetof(struct nvml_calls, shutdown), true},
    {"nvmlDeviceGetCount_v2", offsetof(struct nvml_calls, count), true},
    {"nvmlDeviceGetHandleByIndex_v2", offsetof(struct nvml_calls, handle), true},
    {"nvmlDeviceGetName", offsetof(struct nvml_calls, name), true},
    {"nvmlDeviceGetUUID", offsetof(struct nvml_calls, uuid), true},
    {"nvmlDeviceGetMemoryInfo", offsetof(struct nvml_calls, memory), true},
    {"nvmlSystemGetDriverVersion", offsetof(struct nvml_calls, driver), true},
    {"nvmlSystemGetCudaDriverVersion_v2", offsetof(struct nvml_calls, cuda), false},
    {"nvmlDeviceGetCudaComputeCapability", offsetof(struct nvml_calls, capability), false},
    {"nvmlDeviceGetArchitecture", offsetof(struct nvml_calls, architecture), false},
    {"nvmlDeviceGetMinorNumber", offsetof(struct nvml_calls, minor), false},
    {"nvmlDeviceGetPciInfo_v3", offsetof(struct nvml_calls, pci), false},
    {"nvmlDeviceGetCurrPcieLinkGeneration", offsetof(struct nvml_calls, link_generation), false},
    {"nvmlDeviceGetCurrPcieLinkWidth", offsetof(struct nvml_calls, link_width), false},
    {"nvmlDeviceGetEccMode", offsetof(struct nvml_calls, ecc), false},
    {"nvmlDeviceGetMigMode", offsetof(struct nvml_calls, mig), false},
    {"nvmlDeviceGetMaxMigDeviceCount", offsetof(struct nvml_calls, mig_count), false},
    {"nvmlDeviceGetMigDeviceHandleByIndex", offsetof(struct nvml_calls, mig_handle), false},
    {"nvmlDeviceGetGpuInstanceId", offsetof(struct nvml_calls, gpu_instance), false},
    {"nvmlDeviceGetComputeInstanceId", offsetof(struct nvml_calls, compute_instance), false},
    {"nvmlDeviceGetEnforcedPowerLimit", offsetof(struct nvml_calls, power_limit), false},
    {"nvmlDeviceGetPowerUsage", offsetof(struct nvml_calls, power), false},
    {"nvmlDeviceGetTemperature", offsetof(struct nvml_calls, temperature), false},
    {"nvmlDeviceGetCurrentClocksThrottleReasons", offsetof(struct nvml_calls, throttle), false},
    {"nvmlDeviceGetUtilizationRates", offsetof(struct nvml_calls, use), false},
    {"nvmlDeviceGetTotalEccErrors", offsetof(struct nvml_calls, ecc_errors), false},
    {"nvmlDeviceGetComputeRunningProcesses_v3", offsetof(struct nvml_calls, processes), false},
    {"nvmlEventSetCreate", offsetof(struct nvml_calls, events_new), false},
    {"nvmlDeviceRegisterEvents", offsetof(struct nvml_calls, events_add), false},
    {"nvmlEventSetWait_v2", offsetof(struct nvml_calls, events_wait), false},
    {"nvmlEventSetFree", offsetof(struct nvml_calls, events_free), false},
};

bool nvml_calls_find(void *lib, struct nvml_calls *out)
{
    bool all = true;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        /* dlsym gives an object pointer; POSIX says that it may become a function's. */
        void *p = dlsym(lib, rows[i].symbol);
        memcpy((char *)out + rows[i].offset, &p, sizeof(p));
        all = all && (p || !rows[i].needed);
    }
    return all;
}
