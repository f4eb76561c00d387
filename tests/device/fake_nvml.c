/* SPDX-License-Identifier: MIT */
/*
 * Three cards for machines without any: the calls of NVML that workers/device looks up, with its
 * types. The second has fallen off the bus; the third is cut into two slices. FAKE_NVML_EVENT names
 * a file: when it is there it holds XIDs, which happen once to the first card, in their order.
 * While the file that FAKE_NVML_DOWN names is there, no kernel module is loaded. The file that
 * FAKE_NVML_PROCESS names holds the UUID of a card that a process is on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOST 15

struct card {
    const char *name;
    const char *uuid;
    unsigned long long total;
    unsigned gpu_instance;
};
static const struct card cards[] = {
    {"Test Card 0", "GPU-0000-0", 80ULL << 30, 0},
    {"Test Card 1", "GPU-0000-1", 80ULL << 30, 0},
    {"Test Card 2", "GPU-0000-2", 80ULL << 30, 0},
    {"Test Card 2 MIG 3g.40gb", "MIG-0000-2-a", 40ULL << 30, 1},
    {"Test Card 2 MIG 3g.40gb", "MIG-0000-2-b", 40ULL << 30, 2},
};

#define SAY(name, ...)     \
    int name(__VA_ARGS__); \
    int name(__VA_ARGS__)

SAY(nvmlInit_v2, void)
{
    const char *down = getenv("FAKE_NVML_DOWN");
    return down && access(down, F_OK) == 0 ? 9 : 0; /* NVML_ERROR_DRIVER_NOT_LOADED */
}

SAY(nvmlShutdown, void)
{
    return 0;
}

SAY(nvmlDeviceGetCount_v2, unsigned *count)
{
    *count = 3;
    return 0;
}

SAY(nvmlDeviceGetHandleByIndex_v2, unsigned index, const struct card **device)
{
    *device = &cards[index];
    return index == 1 ? LOST : 0;
}

SAY(nvmlDeviceGetName, const struct card *device, char *name, unsigned length)
{
    return snprintf(name, length, "%s", device->name) < 0;
}

SAY(nvmlDeviceGetUUID, const struct card *device, char *uuid, unsigned length)
{
    return snprintf(uuid, length, "%s", device->uuid) < 0;
}

SAY(nvmlDeviceGetMemoryInfo, const struct card *device, unsigned long long *total_free_used)
{
    total_free_used[0] = device->total;
    total_free_used[1] = total_free_used[2] = device->total / 2;
    return 0;
}

SAY(nvmlDeviceGetUtilizationRates, const struct card *device, unsigned *gpu_memory)
{
    gpu_memory[0] = 37;
    gpu_memory[1] = 50;
    return device->gpu_instance ? 3 : 0; /* NVML_ERROR_NOT_SUPPORTED for slices */
}

SAY(nvmlSystemGetDriverVersion, char *version, unsigned length)
{
    return snprintf(version, length, "570.00") < 0;
}

SAY(nvmlSystemGetCudaDriverVersion_v2, int *version)
{
    *version = 12080;
    return 0;
}

SAY(nvmlDeviceGetCudaComputeCapability, const struct card *device, int *major, int *minor)
{
    (void)device;
    *major = 9;
    *minor = 0;
    return 0;
}

SAY(nvmlDeviceGetArchitecture, const struct card *device, unsigned *architecture)
{
    (void)device;
    *architecture = 9;
    return 0;
}

SAY(nvmlDeviceGetMinorNumber, const struct card *device, unsigned *minor)
{
    *minor = (unsigned)(device - cards);
    return 0;
}

/* nvmlPciInfo_t: the old bus id, five numbers, the bus id. */
SAY(nvmlDeviceGetPciInfo_v3, const struct card *device, char *info)
{
    snprintf(info + 36, 32, "00000000:%02X:00.0", 0x3b + (int)(device - cards));
    return 0;
}

SAY(nvmlDeviceGetCurrPcieLinkGeneration, const struct card *device, unsigned *v)
{
    (void)device;
    *v = 5;
    return 0;
}

SAY(nvmlDeviceGetCurrPcieLinkWidth, const struct card *device, unsigned *v)
{
    (void)device;
    *v = 16;
    return 0;
}

SAY(nvmlDeviceGetEccMode, const struct card *device, unsigned *now, unsigned *pending)
{
    (void)device;
    *now = *pending = 1;
    return 0;
}

SAY(nvmlDeviceGetMigMode, const struct card *device, unsigned *now, unsigned *pending)
{
    *now = *pending = device == &cards[2];
    return 0;
}

SAY(nvmlDeviceGetMaxMigDeviceCount, const struct card *device, unsigned *count)
{
    (void)device;
    *count = 7;
    return 0;
}

SAY(nvmlDeviceGetMigDeviceHandleByIndex, const struct card *device, unsigned index,
    const struct card **slice)
{
    *slice = &cards[3 + index % 2];
    return device == &cards[2] && index < 2 ? 0 : 6; /* NVML_ERROR_NOT_FOUND */
}

SAY(nvmlDeviceGetGpuInstanceId, const struct card *device, unsigned *id)
{
    *id = device->gpu_instance;
    return 0;
}

SAY(nvmlDeviceGetComputeInstanceId, const struct card *device, unsigned *id)
{
    (void)device;
    *id = 0;
    return 0;
}

SAY(nvmlDeviceGetEnforcedPowerLimit, const struct card *device, unsigned *mw)
{
    (void)device;
    *mw = 700000;
    return 0;
}

SAY(nvmlDeviceGetPowerUsage, const struct card *device, unsigned *mw)
{
    (void)device;
    *mw = 412000;
    return 0;
}

SAY(nvmlDeviceGetTemperature, const struct card *device, unsigned sensor, unsigned *degrees)
{
    (void)device;
    *degrees = 61;
    return sensor != 0;
}

SAY(nvmlDeviceGetCurrentClocksThrottleReasons, const struct card *device, unsigned long long *why)
{
    (void)device;
    *why = 0x4 | 0x40 | 0x1;
    return 0;
}

SAY(nvmlDeviceGetTotalEccErrors, const struct card *device, unsigned kind, unsigned counter,
    unsigned long long *count)
{
    (void)device;
    *count = kind == 0 ? 5 : 0;
    return counter != 0;
}

struct process {
    unsigned pid;
    unsigned long long memory;
    unsigned gpu_instance;
    unsigned compute_instance;
};

static int is_named(const char *uuid)
{
    const char *path = getenv("FAKE_NVML_PROCESS");
    FILE *f = path ? fopen(path, "re") : NULL;
    char line[64] = "";
    if (f && !fgets(line, sizeof(line), f))
        line[0] = '\0';
    if (f)
        fclose(f);
    return strcmp(line, uuid) == 0;
}

SAY(nvmlDeviceGetComputeRunningProcesses_v3, const struct card *device, unsigned *count,
    struct process *list)
{
    unsigned room = *count;
    *count = device == &cards[4] || is_named(device->uuid) ? 1 : 0;
    if (*count > 0 && room > 0)
        list[0] = (struct process){1, 300ULL << 20, 2, 0};
    return 0;
}

SAY(nvmlEventSetCreate, const void **set)
{
    *set = cards;
    return 0;
}

SAY(nvmlDeviceRegisterEvents, const struct card *device, unsigned long long types, void *set)
{
    return set == cards && device != &cards[1] && types == 8 ? 0 : 2;
}

struct event {
    const struct card *device;
    unsigned long long type;
    unsigned long long data;
    unsigned gpu_instance;
    unsigned compute_instance;
};

/* What happened and was not told yet. */
static int xids[8];
static int xids_n;
static int xids_at;

static void read_events(void)
{
    const char *path = getenv("FAKE_NVML_EVENT");
    FILE *f = path ? fopen(path, "re") : NULL;
    xids_n = xids_at = 0;
    if (!f)
        return;
    while (xids_n < 8 && fscanf(f, "%d", &xids[xids_n]) == 1) /* NOLINT(cert-err34-c) */
        xids_n++;
    fclose(f);
    unlink(path);
}

SAY(nvmlEventSetWait_v2, void *set, struct event *event, unsigned ms)
{
    (void)set;
    (void)ms;
    if (xids_at == xids_n)
        read_events();
    if (xids_at == xids_n)
        return 10; /* NVML_ERROR_TIMEOUT */
    *event =
        (struct event){.device = &cards[0], .type = 8, .data = (unsigned long long)xids[xids_at++]};
    return 0;
}

SAY(nvmlEventSetFree, void *set)
{
    (void)set;
    return 0;
}
