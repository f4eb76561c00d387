/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_CONTAIN_LIFE_H
#define WORKERS_CONTAIN_LIFE_H

#include <stdint.h>
#include <sys/types.h>

#include "lib/err.h"
#include "workers/contain/box.h"
#include "workers/contain/runtime.h"

/** One container from create to delete, seen from the supervisor. Descriptors are -1 when closed.
 */
struct life {
    const struct box_spec *spec;
    struct runtime rt;
    pid_t pid;
    int pidfd; /**< readable when the container's init is gone */
    int netns; /**< its network namespace, to make sockets in */
    int out;   /**< read end of its stdout, non-blocking */
    int log;   /**< read end of its stderr, non-blocking */
    bool created;
};

/**
 * Write the bundle and create the container; its init waits for life_start().
 *
 * @stdin_fd  becomes the source's stdin
 * @return    E_IO with the runtime's complaint; life_end() is due in any case
 */
MUST_CHECK enum err_code life_create(struct life *l, const struct box_spec *spec, int stdin_fd,
                                     struct err *err);

/** Let the source run. @return E_IO. */
MUST_CHECK enum err_code life_start(struct life *l, struct err *err);

/** A TCP socket inside the container's network namespace, non-blocking. @return -1 with errno. */
int life_socket(const struct life *l);

/** Kill the container's init; its pid namespace goes with it. Safe to repeat. */
void life_kill(const struct life *l);

/** Wait (briefly: it is dying) for init's end. @return the siginfo code CLD_EXITED, CLD_KILLED…; 0
 * when unknown. */
int life_reap(const struct life *l, int *status);

/** Kill what is left, read the counters, delete the container, close the descriptors. */
void life_end(struct life *l, struct box_usage *usage);

#endif
