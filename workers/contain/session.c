/* SPDX-License-Identifier: MIT */
#include "workers/contain/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "workers/contain/cgroup.h"
#include "workers/contain/freezer.h"
#include "workers/contain/house.h"
#include "workers/contain/outputs.h"
#include "workers/contain/watch.h"
#include "workers/image/inside.h"

/* A service that has answered before takes the next task at once or never. */
#define WARM_PATIENCE_US 3000000

enum err_code session_map(int fd, struct session_input *in, struct err *err)
{
    struct stat st;
    in->fd = fd;
    if (fstat(fd, &st) != 0)
        return err_set(err, E_IO, "the input: %s", strerror(errno));
    in->n = (size_t)st.st_size;
    in->p = "";
    if (in->n == 0)
        return E_OK;
    void *p = mmap(NULL, in->n, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return err_set(err, E_IO, "the input: %s", strerror(errno));
    in->p = p;
    return E_OK;
}

void session_unmap(struct session_input *in)
{
    if (in->n > 0)
        munmap((void *)in->p, in->n);
    if (in->fd >= 0)
        close(in->fd);
    *in = (struct session_input){.fd = -1};
}

static void start_failure(struct box_result *r, const struct err *err)
{
    r->end = BOX_START_FAILURE;
    snprintf(r->reason, sizeof(r->reason), "%s", err->text);
}

/* Everything the source left, if its run was good. */
static void gather(const struct box_spec *spec, struct box_result *r)
{
    struct err err;
    if (r->end != BOX_OK)
        return;
    int dir = open(HOUSE_OUT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || outputs_collect(dir, &spec->limits, r, &err) != E_OK) {
        r->end = BOX_BAD_OUTPUT;
        snprintf(r->reason, sizeof(r->reason), "the output folder cannot be read");
    }
    if (dir >= 0)
        close(dir);
}

/* The counters count from the container's beginning; a task is told its own. */
static void own_share(const struct session *s, struct box_usage *u)
{
    u->cpu_us -= s->before.cpu_us;
    u->oom_kills -= s->before.oom_kills;
    u->pids_refused -= s->before.pids_refused;
}

/* The guard outside must know how to thaw before there is anything to thaw. */
static bool warn_guard(struct session *s)
{
    char path[512] = "";
    freezer_file(s->spec.cgroup_parent, s->spec.id, path, sizeof(path) - 1);
    s->warned = s->warned || write(s->note, path, sizeof(path)) == (ssize_t)sizeof(path);
    return s->warned;
}

/*
 * After a good run: freeze the container before its outputs are read, so that they stay as they
 * are. A run that met a limit on its way is good, but its container is not trusted again; and that
 * all of gVisor stands still has not been shown.
 */
static bool keep(struct session *s, struct watch *w, struct box_result *r)
{
    if (!s->spec.keep || s->spec.egress || runtime_is_gvisor(s->spec.runtime) || r->end != BOX_OK ||
        w->courier.strikes > 0 || !warn_guard(s) ||
        !freezer_set(s->spec.cgroup_parent, s->spec.id, true))
        return false;
    struct box_usage now = {0};
    cgroup_counters(s->spec.cgroup_parent, s->spec.id, &now);
    return now.oom_kills == s->before.oom_kills && now.pids_refused == s->before.pids_refused;
}

/* From a container that runs to a result; the container is frozen or gone then. */
static void see_through(struct session *s, struct watch *w, int64_t begun, struct box_result *r)
{
    int64_t started = clock_mono_us();
    r->usage.start_ms = (started - begun) / 1000;
    watch_until_end(w);
    r->usage.wall_ms = (clock_mono_us() - started) / 1000;
    if (w->serving && w->courier.accepted_us > 0)
        r->usage.ready_ms = (w->courier.accepted_us - started) / 1000;
    r->kept = keep(s, w, r);
    if (r->kept) {
        cgroup_counters(s->spec.cgroup_parent, s->spec.id, &r->usage);
        r->usage.held_bytes = cgroup_memory(s->spec.cgroup_parent, s->spec.id);
    }
    watch_finish(w);
}

/* Let go of a container that will not be used again, then read what a good run left. */
static void settle(struct session *s, struct watch *w, struct box_result *r)
{
    if (!r->kept && s->begun) {
        (void)freezer_set(s->spec.cgroup_parent, s->spec.id, false);
        life_end(&s->life, &r->usage);
        s->begun = false;
    }
    own_share(s, &r->usage);
    r->usage.egress_bytes = egress_moved(&s->egress);
    egress_close(&s->egress);
    watch_done(w);
    gather(&s->spec, r);
    if (r->kept && r->end != BOX_OK) {
        r->kept = false;
        session_end(s);
    }
}

void session_first(struct session *s, const struct session_input *in, struct box_result *r)
{
    struct err err = {0};
    struct watch w;
    int64_t begun = clock_mono_us();
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool serving = s->spec.contract == BOX_HTTP;
    enum err_code rc = life_create(&s->life, &s->spec, serving ? null : in->fd, &err);
    s->begun = true;
    watch_begin(&w, &s->life, s->control, r);
    w.egress = &s->egress;
    if (rc == E_OK)
        rc = egress_open(&s->egress, &s->life, &err);
    if (rc == E_OK && serving)
        rc = watch_serve(&w, in->p, in->n, &err);
    if (rc == E_OK)
        rc = life_start(&s->life, &err);
    if (rc != E_OK)
        start_failure(r, &err);
    else
        see_through(s, &w, begun, r);
    settle(s, &w, r);
    if (null >= 0)
        close(null);
}

static enum err_code empty_out(struct err *err)
{
    int dir = open(HOUSE_OUT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = dir >= 0 && inside_empty(dir);
    if (dir >= 0)
        close(dir);
    return ok ? E_OK : err_set(err, E_IO, "/out cannot be emptied: %s", strerror(errno));
}

void session_next(struct session *s, const struct box_task *task, const struct session_input *in,
                  struct box_result *r)
{
    struct err err = {0};
    struct watch w;
    int64_t begun = clock_mono_us();
    s->spec.function = task->function;
    s->spec.task_address = task->task_address;
    s->spec.limits.wall_ms = task->wall_ms;
    cgroup_counters(s->spec.cgroup_parent, s->spec.id, &s->before);
    watch_begin(&w, &s->life, s->control, r);
    enum err_code rc = empty_out(&err);
    if (rc == E_OK)
        rc = watch_serve(&w, in->p, in->n, &err);
    if (rc == E_OK && !freezer_set(s->spec.cgroup_parent, s->spec.id, false))
        rc = err_set(&err, E_IO, "the kept container cannot be thawed");
    w.accept_by_us = clock_mono_us() + WARM_PATIENCE_US;
    if (rc != E_OK)
        start_failure(r, &err);
    else
        see_through(s, &w, begun, r);
    r->stale = r->end != BOX_OK && r->end != BOX_STOPPED && w.courier.answered == 0;
    settle(s, &w, r);
}

void session_end(struct session *s)
{
    struct box_usage unused = {0};
    if (!s->begun)
        return;
    /* Killed first: thawed, it finds the signal and nothing else to do. */
    life_kill(&s->life);
    (void)freezer_set(s->spec.cgroup_parent, s->spec.id, false);
    life_end(&s->life, &unused);
    s->begun = false;
}
