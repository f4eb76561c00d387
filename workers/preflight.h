/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_PREFLIGHT_H
#define WORKERS_PREFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PREFLIGHT_MAX 12

/** One thing that containers need, tried on this machine. */
struct preflight_row {
    const char *what; /**< static: "user namespaces" */
    bool ok;
    char detail[256]; /**< what was found, or why not */
    bool skipped;     /**< with ok: there was nothing to try */
    const char *fix;  /**< static: what to do when it is not ok */
};

/**
 * Try everything that a container needs.
 *
 * @runtime   "crun", "runc" or a path
 * @uid_base  first host id of the containers
 * @rows      PREFLIGHT_MAX
 * @return    how many rows were filled, in the order in which they matter
 */
size_t preflight(const char *runtime, uint32_t uid_base, struct preflight_row *rows);

#endif
