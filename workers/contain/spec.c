/* SPDX-License-Identifier: MIT */
#include "workers/contain/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "workers/contain/card.h"
#include "workers/contain/cgroup.h"
#include "workers/contain/house.h"
#include "workers/contain/runtime.h"

#define GVISOR_THREADS 512

/* Files of the kernel that tell about the host or other tenants: shown empty. */
static const char *const masked[] = {
    "/proc/acpi",        "/proc/kcore",      "/proc/keys",      "/proc/key-users",
    "/proc/timer_list",  "/proc/interrupts", "/proc/config.gz", "/proc/kallsyms",
    "/proc/kmsg",        "/proc/modules",    "/proc/cmdline",   "/proc/pressure",
    "/proc/vmallocinfo", "/proc/iomem",      "/proc/ioports",   "/proc/diskstats",
    "/proc/partitions",  "/proc/slabinfo",   "/sys/firmware",
};

/* What drivers tell of themselves: NVIDIA's, every card's model, bus id and UUID. A driver's own
 * libraries read it, so it is there with a card. */
#define DRIVERS "/proc/driver"

static const char *const readonly_paths[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys",
                                             "/proc/sysrq-trigger"};

static const char *const namespaces[] = {"pid", "ipc", "uts", "mount", "cgroup", "network", "user"};

static json_t *strings(const char *const *list, size_t n)
{
    json_t *a = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(a, json_string(list[i]));
    return a;
}

static json_t *rlimit(const char *type, int64_t value)
{
    return json_pack("{s:s, s:I, s:I}", "type", type, "hard", (json_int_t)value, "soft",
                     (json_int_t)value);
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static json_t *process(const struct box_spec *s)
{
    json_t *limits = json_array();
    json_array_append_new(limits, rlimit("RLIMIT_NOFILE", 1024));
    json_array_append_new(
        limits, rlimit("RLIMIT_FSIZE", larger(s->limits.output_bytes, s->limits.tmp_bytes)));
    json_array_append_new(limits, rlimit("RLIMIT_CORE", 0));
    json_array_append_new(limits, rlimit("RLIMIT_MEMLOCK", 65536));
    json_array_append_new(limits, rlimit("RLIMIT_MSGQUEUE", 0));
    return json_pack(
        "{s:b, s:{s:i, s:i, s:i}, s:o, s:s, s:o, s:{s:[], s:[], s:[], s:[], s:[]}, s:b, s:i, s:o}",
        "terminal", 0, "user", "uid", (int)s->uid, "gid", (int)s->gid, "umask", 63, "args",
        strings(s->args, s->arg_count), "cwd", s->cwd, "env", strings(s->env, s->env_count),
        "capabilities", "bounding", "effective", "inheritable", "permitted", "ambient",
        "noNewPrivileges", 1, "oomScoreAdj", 1000, "rlimits", limits);
}

static void add_mount(json_t *list, const char *to, const char *type, const char *from,
                      const char *const *options, size_t n)
{
    json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:o}", "destination", to, "type", type,
                                          "source", from, "options", strings(options, n)));
}

static void add_cache(json_t *list, const struct box_cache *cache, size_t i, const char *size)
{
    char from[64];
    snprintf(from, sizeof(from), HOUSE_CACHES "/%zu", i);
    if (cache->path[0])
        add_mount(list, cache->place, "bind", from,
                  (const char *[]){"bind", "ro", "nosuid", "noexec", "nodev"}, 5);
    else
        add_mount(
            list, cache->place, "tmpfs", "tmpfs",
            (const char *[]){"nosuid", "noexec", "nodev", "mode=1777", "nr_inodes=4096", size}, 6);
}

static void add_inputs(json_t *list, const struct box_spec *s)
{
    static const char *const options[] = {"bind", "ro", "nosuid", "noexec", "nodev"};
    add_mount(list, "/in", "bind", HOUSE_IN, options, ARRAY_LEN(options));
    for (size_t i = 0; i < s->input_count; i++) {
        char from[64];
        char to[256];
        snprintf(from, sizeof(from), HOUSE_GIVEN "/%zu", i);
        snprintf(to, sizeof(to), "/in/%.200s", s->inputs[i].name);
        add_mount(list, to, "bind", from, options, ARRAY_LEN(options));
    }
}

static json_t *mounts(const struct box_spec *s)
{
    char size[32];
    json_t *list = json_array();
    add_mount(list, "/proc", "proc", "proc", (const char *[]){"nosuid", "noexec", "nodev"}, 3);
    add_mount(list, "/dev", "tmpfs", "tmpfs",
              (const char *[]){"nosuid", "noexec", "mode=755", "size=64k"}, 4);
    snprintf(size, sizeof(size), "size=%lld", (long long)s->limits.tmp_bytes);
    add_mount(list, "/dev/shm", "tmpfs", "shm",
              (const char *[]){"nosuid", "noexec", "nodev", "mode=1777", "nr_inodes=4096", size},
              6);
    /* kernels that are compiled at run time are loaded from files there */
    add_mount(list, "/tmp", "tmpfs", "tmpfs",
              (const char *[]){"nosuid", s->card ? "exec" : "noexec", "nodev", "mode=1777",
                               "nr_inodes=4096", size},
              6);
    add_mount(list, "/out", "bind", HOUSE_OUT,
              (const char *[]){"bind", "rw", "nosuid", "noexec", "nodev"}, 5);
    if (s->input_count)
        add_inputs(list, s);
    for (size_t i = 0; i < s->cache_count; i++)
        add_cache(list, &s->caches[i], i, size);
    card_spec_mounts(s->card, list);
    return list;
}

/* gVisor's own threads are counted with the source's, and it dies when it gets none. */
static json_int_t pids_of(const struct box_spec *s)
{
    return (json_int_t)s->limits.pids + (runtime_is_gvisor(s->runtime) ? GVISOR_THREADS : 0);
}

static json_t *resources(const struct box_spec *s)
{
    /* memory and swap together, so that the limit cannot be stretched by swapping */
    json_t *v =
        json_pack("{s:[{s:b, s:s}], s:{s:I, s:I}, s:{s:I}, s:{s:I, s:I}}", "devices", "allow", 0,
                  "access", "rwm", "memory", "limit", (json_int_t)s->limits.memory_bytes, "swap",
                  (json_int_t)s->limits.memory_bytes, "pids", "limit", pids_of(s), "cpu", "quota",
                  (json_int_t)s->limits.cpu_millis * 100, "period", (json_int_t)100000);
    /* out of memory ends the run, not one of its processes (v1 has no such switch) */
    if (cgroup_is_v2())
        json_object_set_new(v, "unified", json_pack("{s:s}", "memory.oom.group", "1"));
    card_spec_devices(s->card, json_object_get(v, "devices"));
    return v;
}

static json_t *id_map(uint32_t base)
{
    return json_pack("[{s:i, s:I, s:i}]", "containerID", 0, "hostID", (json_int_t)base, "size",
                     65536);
}

static json_t *masked_paths(const struct box_spec *s)
{
    json_t *list = strings(masked, ARRAY_LEN(masked));
    if (!s->card)
        json_array_append_new(list, json_string(DRIVERS));
    return list;
}

static json_t *linux_part(const struct box_spec *s, json_t *seccomp)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", s->cgroup_parent, s->id);
    json_t *ns = json_array();
    for (size_t i = 0; i < ARRAY_LEN(namespaces); i++)
        json_array_append_new(ns, json_pack("{s:s}", "type", namespaces[i]));
    return json_pack("{s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:O}", "namespaces", ns, "uidMappings",
                     id_map(s->uid_base), "gidMappings", id_map(s->uid_base), "cgroupsPath", path,
                     "resources", resources(s), "maskedPaths", masked_paths(s), "readonlyPaths",
                     strings(readonly_paths, ARRAY_LEN(readonly_paths)), "seccomp", seccomp);
}

enum err_code spec_config(const struct box_spec *spec, json_t **out, struct err *err)
{
    json_t *seccomp;
    enum err_code rc = spec_seccomp(runtime_is_gvisor(spec->runtime), &seccomp, err);
    if (rc != E_OK)
        return rc;
    json_t *v =
        json_pack("{s:s, s:s, s:{s:s, s:b}, s:o, s:o, s:o}", "ociVersion", "1.0.2", "hostname",
                  "source", "root", "path", HOUSE_ROOTFS, "readonly", 1, "process", process(spec),
                  "mounts", mounts(spec), "linux", linux_part(spec, seccomp));
    json_decref(seccomp);
    if (!v)
        return err_set(err, E_INTERNAL,
                       "the container's configuration cannot be made (text that is not UTF-8?)");
    *out = v;
    return E_OK;
}

enum err_code spec_write(const struct box_spec *spec, const char *dir, struct err *err)
{
    json_t *v;
    enum err_code rc = spec_config(spec, &v, err);
    if (rc != E_OK)
        return rc;
    char path[512];
    snprintf(path, sizeof(path), "%s/config.json", dir);
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
    if (fd < 0 || json_dumpfd(v, fd, JSON_COMPACT) != 0)
        rc = err_set(err, E_IO, "cannot write %.100s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    json_decref(v);
    return rc;
}
