/* SPDX-License-Identifier: MIT */
/* Two cards for machines without any: the calls that workers/devices.c looks up, with NVML's types.
 */
#include <stdio.h>

int nvmlInit_v2(void);
int nvmlShutdown(void);
int nvmlDeviceGetCount_v2(unsigned *count);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device);
int nvmlDeviceGetName(void *device, char *name, unsigned length);
int nvmlDeviceGetUUID(void *device, char *uuid, unsigned length);
int nvmlDeviceGetMemoryInfo(void *device, unsigned long long *total_free_used);
int nvmlDeviceGetUtilizationRates(void *device, unsigned *gpu_memory);
int nvmlSystemGetDriverVersion(char *version, unsigned length);

static int cards[3];

int nvmlInit_v2(void)
{
    return 0;
}

int nvmlShutdown(void)
{
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned *count)
{
    *count = 3;
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device)
{
    *device = &cards[index];
    return index == 1 ? 15 : 0; /* NVML_ERROR_GPU_IS_LOST */
}

int nvmlDeviceGetName(void *device, char *name, unsigned length)
{
    return snprintf(name, length, "Test Card %d", (int)((int *)device - cards)) < 0;
}

int nvmlDeviceGetUUID(void *device, char *uuid, unsigned length)
{
    return snprintf(uuid, length, "GPU-0000-%d", (int)((int *)device - cards)) < 0;
}

int nvmlDeviceGetMemoryInfo(void *device, unsigned long long *total_free_used)
{
    (void)device;
    total_free_used[0] = 80ULL << 30;
    total_free_used[1] = total_free_used[2] = 40ULL << 30;
    return 0;
}

int nvmlDeviceGetUtilizationRates(void *device, unsigned *gpu_memory)
{
    (void)device;
    gpu_memory[0] = 37;
    gpu_memory[1] = 50;
    return 0;
}

int nvmlSystemGetDriverVersion(char *version, unsigned length)
{
    return snprintf(version, length, "570.00") < 0;
}
