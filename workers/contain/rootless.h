/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_CONTAIN_ROOTLESS_H
#define WORKERS_CONTAIN_ROOTLESS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "workers/contain/box.h"

/*
 * A worker that is not root becomes root of a user namespace of its own, and of nothing else. Its
 * own id is 0 there, and the containers' ids are what they would be without: the host ids from
 * OGPU_UID_BASE on, which /etc/subuid and /etc/subgid must give to the user. So slots are as far
 * apart from each other, and from the worker, as under a worker that is root.
 */

/** Host ids for all that may live at once; the same whatever the options say. */
#define ROOTLESS_IDS (BOX_BERTHS_MAX * BOX_IDS)

/** What is missing for it. */
enum rootless_lack {
    ROOTLESS_NOTHING,
    ROOTLESS_TOOLS,      /**< newuidmap, newgidmap */
    ROOTLESS_PRIVILEGES, /**< no_new_privs is set: set-uid programs have no effect */
    ROOTLESS_NAMESPACE,  /**< the kernel makes no user namespace for us */
    ROOTLESS_RANGE,      /**< the ids are not the user's */
};

/** Whether this process has to enter before it can run containers: it is not root. */
bool rootless_needed(void);

/**
 * Enter. For good, and only with one thread (a copy of this process may try it out). Supplementary
 * groups are given up.
 *
 * @uid_base  first id of the containers
 * @lack      why not, on failure
 * @return    E_CONFIG with what was found
 */
MUST_CHECK enum err_code rootless_enter(uint32_t uid_base, enum rootless_lack *lack,
                                        struct err *err);

/** What to do about it; static. */
const char *rootless_fix(enum rootless_lack lack);

#endif
