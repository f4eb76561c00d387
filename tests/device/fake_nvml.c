/* SPDX-License-Identifier: MIT */
/*
 * Three cards for machines without any: the calls of NVML that workers/device looks up, with its
 * types. The second has fallen off the bus; the third is cut into two slices. FAKE_NVML_EVENT names
 * a file: when it is there it holds XIDs, which happen once, in their order: to the first card, or
 * written XID@card:gpu_instance:compute_instance (-1: no single one's) elsewhere. While the file
 * that FAKE_NVML_DOWN names is there, no kernel module is loaded. The file that FAKE_NVML_PROCESS
 * names holds the UUID of a card that a process is on, or so many as stand behind it, 300 MiB each;
 * without that variable there is one on the second slice.
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

static unsigned processes_on(const struct card *device)
{
    const char *path = getenv("FAKE_NVML_PROCESS");
    FILE *f = path ? fopen(path, "re") : NULL;
    char uuid[64] = "";
    unsigned n = 1;
    if (f && fscanf(f, "%63s %u", uuid, &n) < 1) /* NOLINT(cert-err34-c) */
        uuid[0] = '\0';
    if (f)
        fclose(f);
    if (!path)
        return device == &cards[4];
    return strcmp(uuid, device->uuid) == 0 ? n : 0;
}

SAY(nvmlDeviceGetComputeRunningProcesses_v3, const struct card *device, unsigned *count,
    struct process *list)
{
    unsigned room = *count;
    *count = processes_on(device);
    for (unsigned i = 0; i < *count && i < room; i++)
        list[i] = (struct process){1 + i, 300ULL << 20, 2, 0};
    return *count > room ? 7 : 0; /* NVML_ERROR_INSUFFICIENT_SIZE */
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
static struct event events[8];
static int events_n;
static int events_at;

/* One XID, with or without a place behind it. */
static int read_event(FILE *f, struct event *e)
{
    unsigned card = 0;
    int gi = -1;
    int ci = -1;
    if (fscanf(f, "%llu", &e->data) != 1) /* NOLINT(cert-err34-c) */
        return 0;
    if (fscanf(f, "@%u:%d:%d", &card, &gi, &ci) == 3 && card > 2) /* NOLINT(cert-err34-c) */
        return 0;
    e->device = &cards[card];
    e->type = 8;
    e->gpu_instance = (unsigned)gi;
    e->compute_instance = (unsigned)ci;
    return 1;
}

static void read_events(void)
{
    const char *path = getenv("FAKE_NVML_EVENT");
    FILE *f = path ? fopen(path, "re") : NULL;
    events_n = events_at = 0;
    if (!f)
        return;
    while (events_n < 8 && read_event(f, &events[events_n]))
        events_n++;
    fclose(f);
    unlink(path);
}

SAY(nvmlEventSetWait_v2, void *set, struct event *event, unsigned ms)
{
    (void)set;
    (void)ms;
    if (events_at == events_n)
        read_events();
    if (events_at == events_n)
        return 10; /* NVML_ERROR_TIMEOUT */
    *event = events[events_at++];
    return 0;
}

SAY(nvmlEventSetFree, void *set)
{
    (void)set;
    return 0;
}
