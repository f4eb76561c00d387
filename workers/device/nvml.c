/* SPDX-License-Identifier: MIT */
#include "workers/device/nvml.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "workers/device/fault.h"
#include "workers/device/nvml_calls.h"

/* Room for so many processes at first, and for so many more than it was too little for. */
#define PROCESSES_ROOM  64
#define PROCESSES_TRIES 4
#define PROCESSES_MAX   (1U << 20)

struct nvml {
    void *lib;
    struct nvml_calls call;
    void *events; /* NULL where the driver has none */
};

/* NVML's bits of "clocks event reasons", and ours. */
static const struct {
    unsigned long long theirs;
    unsigned ours;
} reasons[] = {
    {0x2, THROTTLE_APPLICATION}, {0x4, THROTTLE_POWER_CAP}, {0x8, THROTTLE_HARDWARE},
    {0x20, THROTTLE_THERMAL},    {0x40, THROTTLE_THERMAL},  {0x80, THROTTLE_POWER_BRAKE},
};

/* nvmlDeviceArchitecture_t, from 2 on. */
static const char *const architectures[] = {
    "",       "",       "kepler", "maxwell", "pascal",    "volta",
    "turing", "ampere", "ada",    "hopper",  "blackwell",
};

static void listen_for_errors(struct nvml *n)
{
    const struct nvml_calls *c = &n->call;
    unsigned count = 0;
    nvml_handle h;
    if (!c->events_new || !c->events_add || !c->events_wait || !c->events_free ||
        c->events_new(&n->events) != 0) {
        n->events = NULL;
        return;
    }
    if (c->count(&count) != 0)
        return;
    for (unsigned i = 0; i < count; i++) {
        if (c->handle(i, &h) == 0 && c->events_add(h, NVML_EVENT_XID, n->events) != 0)
            log_warn("nvml_no_events", "card=%u", i);
    }
}

struct nvml *nvml_open(bool tell)
{
    void *lib = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!lib)
        return NULL;
    struct nvml *n = calloc(1, sizeof(*n));
    if (n && nvml_calls_find(lib, &n->call) && n->call.init() == 0) {
        n->lib = lib;
        listen_for_errors(n);
        return n;
    }
    if (tell)
        log_warn("nvml_unusable", NULL);
    free(n);
    dlclose(lib);
    return NULL;
}

void nvml_close(struct nvml *n)
{
    if (!n)
        return;
    if (n->events)
        n->call.events_free(n->events);
    n->call.shutdown();
    dlclose(n->lib);
    free(n);
}

static int number(int (*call)(nvml_handle, unsigned *), nvml_handle h, int unknown)
{
    unsigned v = 0;
    return call && call(h, &v) == 0 && v <= INT32_MAX ? (int)v : unknown;
}

static int64_t ecc_count(const struct nvml_calls *c, nvml_handle h, unsigned kind)
{
    unsigned long long v = 0; /* counter 0: since the driver was loaded */
    return c->ecc_errors && c->ecc_errors(h, kind, 0, &v) == 0 ? (int64_t)v : -1;
}

/* Those on a card; the caller frees. Where there is too little room NVML says how much it takes. */
static struct nvml_process *list_processes(const struct nvml_calls *c, nvml_handle h, unsigned *n)
{
    unsigned room = PROCESSES_ROOM;
    for (int i = 0; i < PROCESSES_TRIES && room <= PROCESSES_MAX; i++) {
        struct nvml_process *list = calloc(room, sizeof(*list));
        *n = room;
        int rc = list ? c->processes(h, n, list) : -1;
        if (rc == 0 && *n <= room)
            return list;
        free(list);
        if (rc != NVML_INSUFFICIENT_SIZE || *n > PROCESSES_MAX)
            return NULL;
        room = *n + PROCESSES_ROOM; /* more may come while we ask again */
    }
    return NULL;
}

static void read_processes(const struct nvml_calls *c, nvml_handle h, struct device_vitals *t)
{
    unsigned n = 0;
    struct nvml_process *list = c->processes ? list_processes(c, h, &n) : NULL;
    if (!list)
        return;
    t->processes = (int)n;
    t->process_mb = 0;
    for (unsigned i = 0; i < n; i++) {
        if (list[i].memory != NVML_NOT_AVAILABLE)
            t->process_mb += (int64_t)(list[i].memory >> 20);
    }
    free(list);
}

static void read_vitals(const struct nvml_calls *c, nvml_handle h, struct device *d)
{
    struct device_vitals *t = &d->vitals;
    struct nvml_memory memory;
    struct nvml_use use;
    unsigned degrees;
    unsigned long long why;
    int rc = c->memory(h, &memory);
    if (rc == 0) {
        d->memory_mb = (int64_t)(memory.total >> 20);
        t->memory_used_mb = (int64_t)(memory.used >> 20);
    }
    d->lost = rc == NVML_GPU_IS_LOST;
    if (c->use && c->use(h, &use) == 0 && use.gpu <= 100)
        t->utilization = (int)use.gpu;
    if (c->temperature && c->temperature(h, 0, &degrees) == 0)
        t->temperature_c = (int)degrees;
    t->power_mw = number(c->power, h, -1);
    if (c->throttle && c->throttle(h, &why) == 0) {
        t->throttle = 0;
        for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
            t->throttle |= why & reasons[i].theirs ? reasons[i].ours : 0;
    }
    t->ecc_corrected = ecc_count(c, h, 0);
    t->ecc_uncorrected = ecc_count(c, h, 1);
    read_processes(c, h, t);
}

static void read_board(const struct nvml_calls *c, nvml_handle h, struct device *d)
{
    unsigned now;
    unsigned pending;
    struct nvml_pci pci;
    int arch = number(c->architecture, h, 0);
    if (arch >= 0 && arch < (int)ARRAY_LEN(architectures))
        snprintf(d->architecture, sizeof(d->architecture), "%s", architectures[arch]);
    d->minor = number(c->minor, h, -1);
    d->pcie_generation = number(c->link_generation, h, 0);
    d->pcie_width = number(c->link_width, h, 0);
    d->power_limit_mw = number(c->power_limit, h, -1);
    if (c->pci && c->pci(h, &pci) == 0)
        snprintf(d->bus_id, sizeof(d->bus_id), "%.31s", pci.bus_id);
    if (c->ecc && c->ecc(h, &now, &pending) == 0)
        d->ecc = now != 0;
    if (c->mig && c->mig(h, &now, &pending) == 0)
        d->mig = now != 0;
}

static void read_driver(const struct nvml_calls *c, nvml_handle h, struct device *d)
{
    int major = 0;
    int minor = 0;
    if (c->driver(d->driver, sizeof(d->driver)) != 0)
        d->driver[0] = '\0';
    if (c->cuda && c->cuda(&major) == 0)
        snprintf(d->cuda, sizeof(d->cuda), "%d.%d", major / 1000, major % 1000 / 10);
    if (c->capability && c->capability(h, &major, &minor) == 0)
        d->capability = major * 10 + minor;
}

static bool read_identity(const struct nvml_calls *c, nvml_handle h, struct device *d)
{
    *d = device_unknown(ENV_NVIDIA);
    return c->uuid(h, d->uuid, sizeof(d->uuid)) == 0 && c->name(h, d->name, sizeof(d->name)) == 0;
}

/* A slice has a name and memory of its own; what belongs to the board is its card's. */
static void read_slices(const struct nvml_calls *c, nvml_handle h, const struct device *card,
                        struct device_list *out)
{
    int count = number(c->mig_count, h, 0);
    for (int i = 0; i < count && out->n < DEVICES_MAX; i++) {
        nvml_handle slice;
        struct device d;
        if (!c->mig_handle || c->mig_handle(h, (unsigned)i, &slice) != 0 ||
            !read_identity(c, slice, &d))
            continue;
        read_vitals(c, slice, &d);
        memcpy(d.parent, card->uuid, sizeof(d.parent));
        memcpy(d.architecture, card->architecture, sizeof(d.architecture));
        memcpy(d.driver, card->driver, sizeof(d.driver));
        memcpy(d.cuda, card->cuda, sizeof(d.cuda));
        memcpy(d.bus_id, card->bus_id, sizeof(d.bus_id));
        d.capability = card->capability;
        d.ecc = card->ecc;
        d.minor = card->minor;
        d.vitals.temperature_c = card->vitals.temperature_c;
        d.vitals.throttle = card->vitals.throttle;
        d.gpu_instance = number(c->gpu_instance, slice, -1);
        d.compute_instance = number(c->compute_instance, slice, -1);
        out->row[out->n++] = d;
    }
}

static bool is_laid_to(unsigned event, int instance)
{
    return event == NVML_INSTANCE_ANY || instance < 0 || event == (unsigned)instance;
}

/* An event names its card, and where it can be laid to a slice, that one: the others' programs have
 * no part in it. */
static bool concerns(const struct nvml_event *e, const char *card, const struct device *d)
{
    if (strcmp(d->uuid, card) == 0)
        return true;
    return strcmp(d->parent, card) == 0 && is_laid_to(e->gpu_instance, d->gpu_instance) &&
           is_laid_to(e->compute_instance, d->compute_instance);
}

static void take_events(struct nvml *n, struct device_list *out)
{
    struct nvml_event e;
    char uuid[DEVICE_UUID_MAX];
    for (int i = 0; n->events && i < 64 && n->call.events_wait(n->events, &e, 0) == 0; i++) {
        if (e.type != NVML_EVENT_XID || n->call.uuid(e.device, uuid, sizeof(uuid)) != 0)
            continue;
        log_warn("xid", "device=%s xid=%llu gpu_instance=%d compute_instance=%d", uuid, e.data,
                 (int)e.gpu_instance, (int)e.compute_instance);
        for (size_t k = 0; k < out->n; k++) {
            struct device *d = &out->row[k];
            if (concerns(&e, uuid, d))
                d->xid = fault_graver(d->xid, e.data < INT32_MAX ? (int)e.data : INT32_MAX);
        }
    }
}

void nvml_cards(struct nvml *n, struct device_list *out)
{
    const struct nvml_calls *c = &n->call;
    unsigned count = 0;
    if (c->count(&count) != 0)
        count = 0;
    for (unsigned i = 0; i < count && out->n < DEVICES_MAX; i++) {
        nvml_handle h;
        struct device d;
        if (c->handle(i, &h) != 0 || !read_identity(c, h, &d))
            continue;
        read_board(c, h, &d);
        read_driver(c, h, &d);
        read_vitals(c, h, &d);
        out->row[out->n++] = d;
        if (d.mig == 1)
            read_slices(c, h, &d, out);
    }
    take_events(n, out);
}
