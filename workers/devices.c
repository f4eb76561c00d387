/* SPDX-License-Identifier: MIT */
#include "workers/devices.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"

/* The few calls of NVML that are used, with their C types (NVML API reference); 0 is success. */
typedef void *nvml_device;
struct nvml_memory {
    unsigned long long total;
    unsigned long long free;
    unsigned long long used;
};
struct nvml_use {
    unsigned gpu;
    unsigned memory;
};

struct nvml {
    void *lib;
    int (*init)(void);
    int (*shutdown)(void);
    int (*count)(unsigned *);
    int (*handle)(unsigned, nvml_device *);
    int (*name)(nvml_device, char *, unsigned);
    int (*uuid)(nvml_device, char *, unsigned);
    int (*memory)(nvml_device, struct nvml_memory *);
    int (*use)(nvml_device, struct nvml_use *);
    int (*driver)(char *, unsigned);
};

/* dlsym gives an object pointer; POSIX says that it may be copied into a function pointer. */
static bool find(void *lib, const char *name, void *out)
{
    void *p = dlsym(lib, name);
    memcpy(out, &p, sizeof(p));
    return p != NULL;
}

static bool nvml_open(struct nvml *n)
{
    n->lib = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!n->lib)
        return false;
    if (find(n->lib, "nvmlInit_v2", &n->init) && find(n->lib, "nvmlShutdown", &n->shutdown) &&
        find(n->lib, "nvmlDeviceGetCount_v2", &n->count) &&
        find(n->lib, "nvmlDeviceGetHandleByIndex_v2", &n->handle) &&
        find(n->lib, "nvmlDeviceGetName", &n->name) &&
        find(n->lib, "nvmlDeviceGetUUID", &n->uuid) &&
        find(n->lib, "nvmlDeviceGetMemoryInfo", &n->memory) &&
        find(n->lib, "nvmlDeviceGetUtilizationRates", &n->use) &&
        find(n->lib, "nvmlSystemGetDriverVersion", &n->driver) && n->init() == 0)
        return true;
    log_warn("nvml_unusable", NULL);
    dlclose(n->lib);
    return false;
}

static size_t find_nvidia(struct device *out, size_t room)
{
    struct nvml n;
    unsigned count = 0;
    size_t found = 0;
    char driver[64] = "";
    if (!nvml_open(&n))
        return 0;
    if (n.driver(driver, sizeof(driver)) != 0)
        driver[0] = '\0';
    if (n.count(&count) != 0)
        count = 0;
    for (unsigned i = 0; i < count && found < room; i++) {
        struct device d = {.environment = ENV_NVIDIA, .utilization = -1};
        struct nvml_memory memory;
        struct nvml_use use;
        nvml_device h;
        if (n.handle(i, &h) != 0 || n.uuid(h, d.uuid, sizeof(d.uuid)) != 0 ||
            n.name(h, d.name, sizeof(d.name)) != 0)
            continue; /* a card that has fallen off the bus still counts, but answers nothing */
        if (n.memory(h, &memory) == 0)
            d.memory_mb = (int64_t)(memory.total >> 20);
        if (n.use(h, &use) == 0)
            d.utilization = (int)use.gpu;
        memcpy(d.driver, driver, sizeof(driver));
        out[found++] = d;
    }
    n.shutdown();
    dlclose(n.lib);
    return found;
}

/* The value of the first line that begins with `key`. */
static void field(const char *file, const char *key, char *out, size_t size)
{
    char line[256];
    FILE *f = fopen(file, "re");
    if (!f)
        return;
    while (fgets(line, sizeof(line), f)) {
        if (strncmp(line, key, strlen(key)) != 0)
            continue;
        char *value = strchr(line, ':');
        if (!value)
            continue;
        value += 1 + strspn(value + 1, " \t");
        value[strcspn(value, "\n")] = '\0';
        snprintf(out, size, "%s", value);
        break;
    }
    fclose(f);
}

static struct device cpu(void)
{
    struct device d = {.environment = ENV_CPU, .name = "CPU", .utilization = -1};
    field("/proc/cpuinfo", "model name", d.name, sizeof(d.name));
    long pages = sysconf(_SC_PHYS_PAGES);
    long size = sysconf(_SC_PAGESIZE);
    if (pages > 0 && size > 0)
        d.memory_mb = (int64_t)pages * size >> 20;
    d.cores = sysconf(_SC_NPROCESSORS_ONLN);
    return d;
}

size_t devices_find(struct device *out, size_t room)
{
    if (room == 0)
        return 0;
    out[0] = cpu();
    return 1 + find_nvidia(out + 1, room - 1);
}

json_t *devices_json(const struct device *list, size_t n)
{
    json_t *a = json_array();
    for (size_t i = 0; i < n; i++) {
        const struct device *d = &list[i];
        json_t *v = json_pack(
            "{s:s, s:s, s:I}", "environment", d->environment == ENV_CPU ? "cpu" : "nvidia", "name",
            d->name[0] ? d->name : "unnamed", "memory_mb", (json_int_t)d->memory_mb);
        if (d->uuid[0])
            json_object_set_new(v, "uuid", json_string(d->uuid));
        if (d->cores > 0)
            json_object_set_new(v, "cores", json_integer(d->cores));
        if (d->driver[0])
            json_object_set_new(v, "driver", json_string(d->driver));
        if (d->utilization >= 0)
            json_object_set_new(v, "utilization_percent", json_integer(d->utilization));
        json_array_append_new(a, v);
    }
    return a;
}
