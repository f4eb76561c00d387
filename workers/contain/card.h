/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_CONTAIN_CARD_H
#define WORKERS_CONTAIN_CARD_H

#include <jansson.h>

#include "lib/err.h"

/*
 * A card in a container. The edits are JSON:
 *   nodes  [[host path, path in the container], …]  character devices
 *   files  [[host path, name], …]                   libraries, below CARD_LIBRARIES, read only
 *   links  [[name, name of a file], …]              beside them
 *   env    {name: value}                            the caller's business
 *   sysfs  boolean                                  a read-only /sys
 * Everything is found before the host's file system is covered, and mounted by descriptor: what was
 * checked is what is mounted.
 */

#define CARD_LIBRARIES "/usr/local/nvidia/lib64"
#define CARD_PARTS_MAX 96

/** What was found; -1 behind `n`. */
struct card_kept {
    int fds[CARD_PARTS_MAX]; /**< nodes, then files */
    size_t n;
};

/** Open what the edits name. @edits or NULL. @return E_IO; card_let_go() is due in any case */
MUST_CHECK enum err_code card_keep(const json_t *edits, struct card_kept *k, struct err *err);

/** Lay it out in the supervisor's tmpfs. @return E_IO */
MUST_CHECK enum err_code card_mount(const json_t *edits, const struct card_kept *k,
                                    struct err *err);

/** Close. */
void card_let_go(struct card_kept *k);

/** Add the mounts to a configuration's `mounts`. */
void card_spec_mounts(const json_t *edits, json_t *mounts);

/** Allow the nodes in `linux.resources.devices`: reading and writing, not making. */
void card_spec_devices(const json_t *edits, json_t *devices);

#endif
