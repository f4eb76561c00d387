/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_CONTAIN_RUNTIME_H
#define WORKERS_CONTAIN_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/err.h"

/**
 * The absolute path of an OCI runtime.
 *
 * @name  "crun", "runc" or an absolute path
 * @out   `size` bytes
 * @return E_CONFIG when there is no such program
 */
MUST_CHECK enum err_code runtime_find(const char *name, char *out, size_t size, struct err *err);

/** The first line of `runtime --version`. @return E_CONFIG when it does not run. */
MUST_CHECK enum err_code runtime_version(const char *path, char *out, size_t size, struct err *err);

/**
 * Whether a runtime is gVisor (`runsc`, by its file's name): a kernel of its own in front of ours.
 * It runs the same configuration, with flags of its own.
 */
bool runtime_is_gvisor(const char *path);

/** How to call a runtime for one container. */
struct runtime {
    const char *path;
    const char *state; /**< its --root: a folder of ours, so that no two workers meet */
    const char *bundle;
    const char *id;
    const char *log; /**< it writes its own complaints here, not on the source's stderr */
    bool sockets;    /**< gVisor: the source is reached through sockets of its network namespace */
};

/**
 * `create`: the container exists, its init waits. Its stdio is what is given here.
 *
 * @pid  process id of the container's init in our pid namespace
 * @return E_IO with the runtime's own complaint
 */
MUST_CHECK enum err_code runtime_create(const struct runtime *rt, const int stdio[3], pid_t *pid,
                                        struct err *err);

/** `start`: init executes the source. @return E_IO with the runtime's own complaint. */
MUST_CHECK enum err_code runtime_start(const struct runtime *rt, struct err *err);

/** `delete --force`: also removes the cgroup. The container's init has been killed. */
MUST_CHECK enum err_code runtime_delete(const struct runtime *rt, struct err *err);

#endif
