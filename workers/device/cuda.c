/* SPDX-License-Identifier: MIT */
#include "workers/device/cuda.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTRIBUTE_MAJOR 75
#define ATTRIBUTE_MINOR 76

static const struct {
    const char *symbol;
    size_t offset;
} rows[] = {
    {"cuInit", offsetof(struct cuda_calls, init)},
    {"cuDriverGetVersion", offsetof(struct cuda_calls, version)},
    {"cuDeviceGetCount", offsetof(struct cuda_calls, count)},
    {"cuDeviceGet", offsetof(struct cuda_calls, get)},
    {"cuDeviceGetName", offsetof(struct cuda_calls, name)},
    {"cuDeviceGetUuid_v2", offsetof(struct cuda_calls, uuid)},
    {"cuDeviceTotalMem_v2", offsetof(struct cuda_calls, total)},
    {"cuDeviceGetAttribute", offsetof(struct cuda_calls, attribute)},
    {"cuDeviceGetPCIBusId", offsetof(struct cuda_calls, bus_id)},
    {"cuCtxCreate_v2", offsetof(struct cuda_calls, context_new)},
    {"cuCtxDestroy_v2", offsetof(struct cuda_calls, context_free)},
    {"cuMemGetInfo_v2", offsetof(struct cuda_calls, memory)},
    {"cuMemAlloc_v2", offsetof(struct cuda_calls, alloc)},
    {"cuMemFree_v2", offsetof(struct cuda_calls, free)},
    {"cuMemsetD32_v2", offsetof(struct cuda_calls, set)},
    {"cuMemcpyDtoH_v2", offsetof(struct cuda_calls, to_host)},
    {"cuCtxSynchronize", offsetof(struct cuda_calls, finish)},
};

static bool find_calls(void *lib, struct cuda_calls *out)
{
    bool all = true;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        /* dlsym gives an object pointer; POSIX says that it may become a function's. */
        void *p = dlsym(lib, rows[i].symbol);
        memcpy((char *)out + rows[i].offset, &p, sizeof(p));
        all = all && p;
    }
    return all;
}

struct cuda *cuda_open(void)
{
    void *lib = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!lib)
        return NULL;
    struct cuda *c = calloc(1, sizeof(*c));
    if (c && find_calls(lib, &c->call) && c->call.init(0) == 0) {
        c->lib = lib;
        return c;
    }
    free(c);
    dlclose(lib);
    return NULL;
}

void cuda_close(struct cuda *c)
{
    /* The library stays: the driver has threads of its own, which unloading would pull the rug
     * from. */
    free(c);
}

static void uuid_text(const unsigned char b[16], char *out, size_t size)
{
    snprintf(out, size, "GPU-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
             b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
             b[14], b[15]);
}

void cuda_cards(const struct cuda *c, struct device_list *out)
{
    const struct cuda_calls *k = &c->call;
    int count = 0;
    int version = 0;
    if (k->count(&count) != 0)
        return;
    for (int i = 0; i < count && out->n < DEVICES_MAX; i++) {
        struct device d = device_unknown(ENV_NVIDIA);
        unsigned char uuid[16];
        size_t total;
        int major = 0;
        int minor = 0;
        cuda_device dev;
        if (k->get(&dev, i) != 0 || k->uuid(uuid, dev) != 0 ||
            k->name(d.name, sizeof(d.name), dev) != 0)
            continue;
        uuid_text(uuid, d.uuid, sizeof(d.uuid));
        if (k->total(&total, dev) == 0)
            d.memory_mb = (int64_t)(total >> 20);
        if (k->attribute(&major, ATTRIBUTE_MAJOR, dev) == 0 &&
            k->attribute(&minor, ATTRIBUTE_MINOR, dev) == 0)
            d.capability = major * 10 + minor;
        if (k->version(&version) == 0)
            snprintf(d.cuda, sizeof(d.cuda), "%d.%d", version / 1000, version % 1000 / 10);
        if (k->bus_id(d.bus_id, sizeof(d.bus_id), dev) != 0)
            d.bus_id[0] = '\0';
        out->row[out->n++] = d;
    }
}
