/* SPDX-License-Identifier: MIT */
/*
 * A CUDA driver whose card remembers: its memory is the file FAKE_CUDA_DIR/<UUID>, so that what one
 * process left there is what the next one reads. The UUID is CUDA_VISIBLE_DEVICES, as the real
 * driver takes it. FAKE_CUDA_DIR/<UUID>.fault may say: stuck (its first MiB keeps what it has),
 * hoard (half of it cannot be had), fail (nothing can be written), held (somebody has 40 MiB of
 * it).
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SAY(name, ...)     \
    int name(__VA_ARGS__); \
    int name(__VA_ARGS__)

#define BASE 0x100000000ULL

static unsigned char *memory;
static size_t size;
static size_t taken;
static size_t held;
static char fault[16];

SAY(cuInit, unsigned flags)
{
    const char *dir = getenv("FAKE_CUDA_DIR");
    const char *uuid = getenv("CUDA_VISIBLE_DEVICES");
    char path[512];
    struct stat st;
    if (!dir || !uuid || flags != 0)
        return 100; /* CUDA_ERROR_NO_DEVICE */
    snprintf(path, sizeof(path), "%s/%s", dir, uuid);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        return 100;
    size = (size_t)st.st_size;
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    strncat(path, ".fault", sizeof(path) - strlen(path) - 1);
    FILE *f = fopen(path, "re");
    if (f && !fgets(fault, sizeof(fault), f))
        fault[0] = '\0';
    if (f)
        fclose(f);
    held = strcmp(fault, "held") == 0 ? (size_t)40 << 20 : 0;
    return memory == MAP_FAILED ? 100 : 0;
}

SAY(cuDriverGetVersion, int *version)
{
    *version = 12080;
    return 0;
}

SAY(cuDeviceGetCount, int *count)
{
    *count = 1;
    return 0;
}

SAY(cuDeviceGet, int *device, int ordinal)
{
    *device = 0;
    return ordinal != 0;
}

SAY(cuDeviceGetName, char *name, int length, int device)
{
    return snprintf(name, (size_t)length, "Remembering Card") < 0 || device != 0;
}

/* "GPU-" and five groups of hex digits. */
SAY(cuDeviceGetUuid_v2, unsigned char *out, int device)
{
    const char *p = getenv("CUDA_VISIBLE_DEVICES");
    if (!p || strlen(p) != 40)
        return 1;
    p += 4;
    for (int i = 0; i < 16; i++, p += 2) {
        char two[3] = {0};
        p += *p == '-';
        memcpy(two, p, 2);
        out[i] = (unsigned char)strtoul(two, NULL, 16);
    }
    return device != 0;
}

SAY(cuDeviceTotalMem_v2, size_t *total, int device)
{
    *total = size;
    return device != 0;
}

SAY(cuDeviceGetAttribute, int *value, int attribute, int device)
{
    *value = attribute == 75 ? 9 : 0;
    return device != 0;
}

SAY(cuDeviceGetPCIBusId, char *out, int length, int device)
{
    return snprintf(out, (size_t)length, "0000:3b:00.0") < 0 || device != 0;
}

SAY(cuCtxCreate_v2, void **context, unsigned flags, int device)
{
    *context = memory;
    return flags != 0 || device != 0;
}

SAY(cuCtxDestroy_v2, void *context)
{
    return context != memory;
}

SAY(cuCtxSynchronize, void)
{
    return 0;
}

SAY(cuMemGetInfo_v2, size_t *available, size_t *total)
{
    *total = size;
    *available = size - held - taken;
    return 0;
}

SAY(cuMemAlloc_v2, unsigned long long *at, size_t n)
{
    size_t limit = strcmp(fault, "hoard") == 0 ? size / 2 : size - held;
    if (n > limit - taken)
        return 2; /* CUDA_ERROR_OUT_OF_MEMORY */
    *at = BASE + taken;
    taken += n;
    return 0;
}

/* All is given back before anything is taken again: that is all the scrubber does. */
SAY(cuMemFree_v2, unsigned long long at)
{
    taken = 0;
    return at < BASE;
}

SAY(cuMemsetD32_v2, unsigned long long at, unsigned value, size_t words)
{
    size_t keep = strcmp(fault, "stuck") == 0 && at == BASE ? (size_t)1 << 20 : 0;
    if (strcmp(fault, "fail") == 0)
        return 700; /* CUDA_ERROR_ILLEGAL_ADDRESS */
    memset(memory + (at - BASE) + keep, (int)value, words * 4 - keep);
    return 0;
}

SAY(cuMemcpyDtoH_v2, void *to, unsigned long long at, size_t n)
{
    memcpy(to, memory + (at - BASE), n);
    return 0;
}
