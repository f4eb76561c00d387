/* SPDX-License-Identifier: MIT */
#include "workers/workshop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "eth/address.h"
#include "eth/keccak.h"
#include "lib/hash.h"
#include "lib/hex.h"
#include "lib/log.h"
#include "workers/contain/freezer.h"
#include "workers/contain/rootless.h"
#include "workers/contain/runtime.h"
#include "workers/image/inside.h"
#include "workers/preflight.h"

static enum err_code check(const char *runtime, uint32_t uid_base, struct err *err)
{
    struct preflight_row rows[PREFLIGHT_MAX];
    size_t n = preflight(runtime, uid_base, rows);
    for (size_t i = 0; i < n; i++) {
        if (!rows[i].ok)
            return err_set(err, E_CONFIG, "cannot run containers here: %s: %.60s; %s", rows[i].what,
                           rows[i].detail, rows[i].fix);
    }
    return E_OK;
}

static enum err_code take_folder(struct workshop *w, const char *dir, char path[IMAGE_PATH_MAX],
                                 struct err *err)
{
    char lock[IMAGE_PATH_MAX + 16];
    if (mkdir(dir, 0755) != 0 && errno != EEXIST)
        return err_set(err, E_CONFIG, "cannot make OGPU_WORK_DIR %.100s: %s", dir, strerror(errno));
    char *real = realpath(dir, NULL);
    if (!real || strlen(real) >= IMAGE_PATH_MAX - 160) {
        free(real);
        return err_set(err, E_CONFIG, "OGPU_WORK_DIR %.100s cannot be used: %s", dir,
                       strerror(errno));
    }
    memcpy(path, real, strlen(real) + 1);
    free(real);
    snprintf(lock, sizeof(lock), "%s/lock", path);
    w->lock = open(lock, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (w->lock < 0)
        return err_set(err, E_CONFIG, "cannot write to OGPU_WORK_DIR %.100s: %s", path,
                       strerror(errno));
    if (flock(w->lock, LOCK_EX | LOCK_NB) != 0) {
        workshop_close(w);
        return err_set(err, E_CONFIG, "another worker uses OGPU_WORK_DIR %.100s", path);
    }
    return E_OK;
}

/* What a killed worker left: input files, and cgroups that the kernel emptied with their processes.
 */
static enum err_code tidy(struct workshop *w, struct err *err)
{
    if (mkdir(w->inputs, 0755) != 0 && errno != EEXIST)
        return err_set(err, E_IO, "cannot make %.120s: %s", w->inputs, strerror(errno));
    if (mkdir(w->volumes, 0755) != 0 && errno != EEXIST)
        return err_set(err, E_IO, "cannot make %.120s: %s", w->volumes, strerror(errno));
    int dir = open(w->inputs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || !inside_empty(dir))
        log_warn("inputs_left", "dir=%s", w->inputs);
    if (dir >= 0)
        close(dir);
    /* Killed with its supervisors, a worker leaves frozen processes that cannot die of it. */
    freezer_thaw_all(w->cgroup.parent, w->tag);
    size_t n = cgroup_sweep(&w->cgroup, w->tag);
    if (n)
        log_info("stale_cgroups_removed", "count=%zu", n);
    return E_OK;
}

enum err_code workshop_open(struct workshop *w, const struct workshop_config *c, struct err *err)
{
    char path[IMAGE_PATH_MAX];
    char hex[9];
    enum rootless_lack lack;
    *w = (struct workshop){
        .lock = -1, .uid_base = (uint32_t)c->uid_base, .rootless = rootless_needed()};
    enum err_code rc = check(c->runtime, w->uid_base, err);
    if (rc == E_OK && w->rootless)
        rc = rootless_enter(w->uid_base, &lack, err);
    if (rc == E_OK)
        rc = runtime_find(c->runtime, w->runtime, sizeof(w->runtime), err);
    if (rc == E_OK)
        rc = cgroup_find(&w->cgroup, err);
    if (rc == E_OK)
        rc = cgroup_prepare(&w->cgroup, err);
    if (rc == E_OK)
        rc = take_folder(w, c->dir, path, err);
    if (rc != E_OK)
        return rc;
    struct digest d = sha256(path, strlen(path));
    hex_encode(d.b, 4, hex);
    snprintf(w->tag, sizeof(w->tag), "ogpu-%s-", hex);
    snprintf(w->inputs, sizeof(w->inputs), "%.350s/inputs", path);
    snprintf(w->volumes, sizeof(w->volumes), "%.350s/volumes", path);
    strncat(path, "/images", sizeof(path) - strlen(path) - 1);
    struct image_limits limits = {.packed_bytes = c->image_mb << 20,
                                  .unpacked_bytes = c->image_mb << 20,
                                  .entries = c->image_files,
                                  .cache_bytes = c->cache_mb << 20,
                                  .free_bytes = c->free_mb << 20,
                                  .pull_s = c->pull_s};
    rc = tidy(w, err);
    if (rc == E_OK)
        rc = image_store_open(&w->images, path, &limits, err);
    if (rc != E_OK)
        workshop_close(w);
    return rc;
}

void workshop_close(struct workshop *w)
{
    if (w->lock >= 0)
        close(w->lock);
    w->lock = -1;
}

void job_address(struct uuid id, char out[43])
{
    struct address a;
    struct digest d = keccak256(id.b, sizeof(id.b));
    memcpy(a.b, d.b + 12, sizeof(a.b));
    address_format(a, out);
}
