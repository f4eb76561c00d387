/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_CONTAIN_CGROUP_H
#define WORKERS_CONTAIN_CGROUP_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"
#include "workers/contain/box.h"

enum cgroup_kind { CGROUP_V1, CGROUP_V2 };

#define CGROUP_PATH_MAX 400

/** The cgroup below which every container gets its own. */
struct cgroup {
    enum cgroup_kind kind;
    char parent[CGROUP_PATH_MAX]; /**< "" or "/a/b", below each hierarchy's mount */
};

/**
 * Where this process may make cgroups. Under v1 that is below its memory cgroup, under v2 below its
 * own.
 *
 * @return E_CONFIG with one sentence when the memory, pids or cpu controller is missing
 */
MUST_CHECK enum err_code cgroup_find(struct cgroup *out, struct err *err);

/**
 * Under v2: make it possible to have children with controllers. In a cgroup of our own we move to a
 * leaf (the "no inner processes" rule); where others live beside us, root takes a cgroup at the top
 * instead. Nothing to do under v1. Safe to repeat.
 *
 * @cg     its parent may change
 * @return E_CONFIG when the cgroup is not delegated to us
 */
MUST_CHECK enum err_code cgroup_prepare(struct cgroup *cg, struct err *err);

/** Whether this machine has cgroup v2 alone. */
bool cgroup_is_v2(void);

/** Fill cpu, memory, OOM and pid counters of `<parent>/<id>`; what cannot be read stays 0. */
void cgroup_counters(const char *parent, const char *id, struct box_usage *usage);

/** Memory that `<parent>/<id>` holds now, in bytes; 0 when it cannot be read. */
int64_t cgroup_memory(const char *parent, const char *id);

/** Remove empty cgroups below the parent whose name begins with `prefix`: what a killed worker
 * left. @return how many. */
size_t cgroup_sweep(const struct cgroup *cg, const char *prefix);

#endif
