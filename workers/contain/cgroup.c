/* SPDX-License-Identifier: MIT */
#include "workers/contain/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#define MOUNT       "/sys/fs/cgroup"
#define CGROUP_LEAF "/ogpu-agent"
#define CGROUP_TOP  "/ogpu-worker"

/* A small file's text, NUL-terminated; false when it cannot be read. */
static bool slurp(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, out, size - 1);
    close(fd);
    if (n < 0)
        return false;
    out[n] = '\0';
    return true;
}

static bool spit(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = write(fd, text, strlen(text));
    close(fd);
    return n == (ssize_t)strlen(text);
}

/* The number behind `key` ("key 12") or, with key "", the whole file; 0 when absent. */
static int64_t figure(const char *path, const char *key)
{
    char text[4096];
    if (!slurp(path, text, sizeof(text)))
        return 0;
    if (key[0] == '\0')
        return strtoll(text, NULL, 10);
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        size_t n = strlen(key);
        if (strncmp(line, key, n) == 0 && line[n] == ' ')
            return strtoll(line + n + 1, NULL, 10);
    }
    return 0;
}

/* Our path in one hierarchy of /proc/self/cgroup: controller "memory", or "" for v2. */
static bool own_path(const char *controller, char *out, size_t size)
{
    char text[4096];
    if (!slurp("/proc/self/cgroup", text, sizeof(text)))
        return false;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *names = strchr(line, ':');
        char *path = names ? strchr(names + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = '\0';
        names++;
        bool mine = controller[0] == '\0' ? names[0] == '\0' : strstr(names, controller) != NULL;
        if (!mine || strlen(path) >= size)
            continue;
        memcpy(out, path, strlen(path) + 1);
        if (strcmp(out, "/") == 0)
            out[0] = '\0';
        return true;
    }
    return false;
}

static enum err_code need_v1(struct err *err)
{
    static const char *const needed[] = {"memory", "pids", "cpu", "devices"};
    if (geteuid() != 0)
        return err_set(err, E_CONFIG, "cgroup v1 cannot be delegated, and uid %d is not root",
                       (int)geteuid());
    for (size_t i = 0; i < ARRAY_LEN(needed); i++) {
        char path[CGROUP_PATH_MAX + 64];
        snprintf(path, sizeof(path), MOUNT "/%s/cgroup.procs", needed[i]);
        if (access(path, W_OK) != 0)
            return err_set(err, E_CONFIG,
                           "cgroup controller %s cannot be used (%s): no limit could be enforced",
                           needed[i], strerror(errno));
    }
    return E_OK;
}

/* Whether `word` stands in a list with blanks: "cpu" is not in "cpuset io". */
static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; (p = strstr(p, word)); p += n) {
        bool begins = p == list || p[-1] == ' ';
        if (begins && (p[n] == ' ' || p[n] == '\n' || p[n] == '\0'))
            return true;
    }
    return false;
}

static const char *const v2_needed[] = {"memory", "pids", "cpu"};

/* The first controller that `file` of a cgroup does not name; NULL when all are there. */
static const char *lacking(const char *parent, const char *file)
{
    char path[CGROUP_PATH_MAX + 64];
    char have[512];
    snprintf(path, sizeof(path), MOUNT "%s/%s", parent, file);
    if (!slurp(path, have, sizeof(have)))
        have[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(v2_needed); i++) {
        if (!has_word(have, v2_needed[i]))
            return v2_needed[i];
    }
    return NULL;
}

/* Whether we may divide it: root always, others what systemd gave to their user. */
static bool is_ours(const char *parent)
{
    static const char *const files[] = {"", "/cgroup.procs", "/cgroup.subtree_control"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char path[CGROUP_PATH_MAX + 64];
        snprintf(path, sizeof(path), MOUNT "%s%s", parent, files[i]);
        if (access(path, W_OK) != 0)
            return false;
    }
    return true;
}

/*
 * Under v2 containers live below our own cgroup, if that was given to us with its controllers
 * (systemd's Delegate=yes). In a login session it was not; then root makes one at the top, as
 * engines without systemd do.
 */
static enum err_code find_v2(struct cgroup *cg, struct err *err)
{
    char *leaf = strstr(cg->parent, CGROUP_LEAF);
    if (leaf && strcmp(leaf, CGROUP_LEAF) == 0)
        *leaf = '\0';
    const char *less = lacking(cg->parent, "cgroup.controllers");
    if (cg->parent[0] && !less && is_ours(cg->parent))
        return E_OK;
    if (geteuid() == 0 && !lacking("", "cgroup.controllers") &&
        access(MOUNT "/cgroup.subtree_control", W_OK) == 0) {
        memcpy(cg->parent, CGROUP_TOP, sizeof(CGROUP_TOP));
        return E_OK;
    }
    if (cg->parent[0] && !less)
        return err_set(err, E_CONFIG, "cgroup %s is not delegated to uid %d", cg->parent,
                       (int)geteuid());
    return err_set(err, E_CONFIG, "cgroup controller %s is not delegated to %s",
                   less ? less : "memory", cg->parent[0] ? cg->parent : "/");
}

enum err_code cgroup_find(struct cgroup *out, struct err *err)
{
    struct statfs fs;
    if (statfs(MOUNT, &fs) != 0)
        return err_set(err, E_CONFIG, "no cgroups at " MOUNT ": no limit could be enforced");
    struct cgroup cg = {.kind = fs.f_type == CGROUP2_SUPER_MAGIC ? CGROUP_V2 : CGROUP_V1};
    /* On v1 the memory hierarchy decides: what bounds the worker shall bound its containers too. */
    if (!own_path(cg.kind == CGROUP_V2 ? "" : "memory", cg.parent, sizeof(cg.parent)))
        return err_set(err, E_CONFIG,
                       "no memory cgroup controller on this machine: no limit could be enforced");
    enum err_code rc = cg.kind == CGROUP_V2 ? find_v2(&cg, err) : need_v1(err);
    if (rc == E_OK)
        *out = cg;
    return rc;
}

/* Open the controllers of a cgroup to its children. */
static bool open_controllers(const char *parent)
{
    char path[CGROUP_PATH_MAX + 64];
    snprintf(path, sizeof(path), MOUNT "%s/cgroup.subtree_control", parent);
    return !lacking(parent, "cgroup.subtree_control") || spit(path, "+memory +pids +cpu");
}

/* A cgroup with processes of its own may not have children with controllers: move to a leaf first.
 */
static bool divide_own(const char *parent)
{
    char leaf[CGROUP_PATH_MAX + 64];
    char procs[CGROUP_PATH_MAX + 96];
    if (!lacking(parent, "cgroup.subtree_control"))
        return true;
    snprintf(leaf, sizeof(leaf), MOUNT "%s" CGROUP_LEAF, parent);
    snprintf(procs, sizeof(procs), "%s/cgroup.procs", leaf);
    if ((mkdir(leaf, 0755) != 0 && errno != EEXIST) || !spit(procs, "0"))
        return false;
    if (open_controllers(parent))
        return true;
    /* others live here too (a login session): leave it as it was */
    snprintf(procs, sizeof(procs), MOUNT "%s/cgroup.procs", parent);
    if (spit(procs, "0"))
        rmdir(leaf);
    return false;
}

static bool divide_top(void)
{
    if (!open_controllers("") || (mkdir(MOUNT CGROUP_TOP, 0755) != 0 && errno != EEXIST))
        return false;
    return open_controllers(CGROUP_TOP);
}

enum err_code cgroup_prepare(struct cgroup *cg, struct err *err)
{
    if (cg->kind == CGROUP_V1)
        return E_OK;
    if (strcmp(cg->parent, CGROUP_TOP) != 0 && divide_own(cg->parent))
        return E_OK;
    if (geteuid() == 0 && divide_top()) {
        memcpy(cg->parent, CGROUP_TOP, sizeof(CGROUP_TOP));
        return E_OK;
    }
    return err_set(err, E_CONFIG,
                   "cgroup %s cannot be divided (%s): under systemd set Delegate=yes", cg->parent,
                   strerror(errno));
}

static void counters_v1(const char *parent, const char *id, struct box_usage *u)
{
    char path[CGROUP_PATH_MAX + 160];
    snprintf(path, sizeof(path), MOUNT "/memory%s/%s/memory.oom_control", parent, id);
    u->oom_kills = figure(path, "oom_kill");
    snprintf(path, sizeof(path), MOUNT "/memory%s/%s/memory.max_usage_in_bytes", parent, id);
    u->memory_peak = figure(path, "");
    snprintf(path, sizeof(path), MOUNT "/pids%s/%s/pids.events", parent, id);
    u->pids_refused = figure(path, "max");
    snprintf(path, sizeof(path), MOUNT "/cpuacct%s/%s/cpuacct.usage", parent, id);
    u->cpu_us = figure(path, "") / 1000;
}

static void counters_v2(const char *parent, const char *id, struct box_usage *u)
{
    char path[CGROUP_PATH_MAX + 160];
    snprintf(path, sizeof(path), MOUNT "%s/%s/memory.events", parent, id);
    u->oom_kills = figure(path, "oom_kill");
    snprintf(path, sizeof(path), MOUNT "%s/%s/memory.peak", parent, id);
    u->memory_peak = figure(path, "");
    snprintf(path, sizeof(path), MOUNT "%s/%s/pids.events", parent, id);
    u->pids_refused = figure(path, "max");
    snprintf(path, sizeof(path), MOUNT "%s/%s/cpu.stat", parent, id);
    u->cpu_us = figure(path, "usage_usec");
}

bool cgroup_is_v2(void)
{
    struct statfs fs;
    return statfs(MOUNT, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

void cgroup_counters(const char *parent, const char *id, struct box_usage *usage)
{
    if (cgroup_is_v2())
        counters_v2(parent, id, usage);
    else
        counters_v1(parent, id, usage);
}

int64_t cgroup_memory(const char *parent, const char *id)
{
    char path[CGROUP_PATH_MAX + 160];
    if (cgroup_is_v2())
        snprintf(path, sizeof(path), MOUNT "%s/%s/memory.current", parent, id);
    else
        snprintf(path, sizeof(path), MOUNT "/memory%s/%s/memory.usage_in_bytes", parent, id);
    return figure(path, "");
}

static size_t sweep_dir(const char *dir, const char *prefix)
{
    DIR *d = opendir(dir);
    if (!d)
        return 0;
    size_t n = 0;
    /* cppcheck-suppress readdirCalled ; the DIR is this thread's own */
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        if (strncmp(e->d_name, prefix, strlen(prefix)) != 0)
            continue;
        /* A cgroup with a living process refuses: nothing of anybody else's can go. */
        if (unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR) == 0)
            n++;
    }
    closedir(d);
    return n;
}

size_t cgroup_sweep(const struct cgroup *cg, const char *prefix)
{
    char dir[CGROUP_PATH_MAX + 64];
    if (cg->kind == CGROUP_V2) {
        snprintf(dir, sizeof(dir), MOUNT "%s", cg->parent);
        return sweep_dir(dir, prefix);
    }
    /* Every hierarchy there is: runtimes make the cgroup in all of them. */
    DIR *d = opendir(MOUNT);
    size_t n = 0;
    /* cppcheck-suppress readdirCalled ; the DIR is this thread's own */
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        if (e->d_name[0] == '.')
            continue;
        snprintf(dir, sizeof(dir), MOUNT "/%.40s%s", e->d_name, cg->parent);
        n += sweep_dir(dir, prefix);
    }
    if (d)
        closedir(d);
    return n;
}
