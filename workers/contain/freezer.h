/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_CONTAIN_FREEZER_H
#define WORKERS_CONTAIN_FREEZER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A container that waits for its next task is frozen: it uses no CPU, answers nobody and cannot
 * change what it wrote. Under cgroup v1 what is frozen does not even die of SIGKILL before it is
 * thawed: whoever kills must thaw afterwards.
 */

/**
 * Freeze or thaw the cgroup `<parent>/<id>` and wait until it is so (1 s at most).
 *
 * @return false when it did not become so
 */
bool freezer_set(const char *parent, const char *id, bool frozen);

/** Thaw every cgroup below `parent` whose name begins with `prefix`: what a killed worker froze. */
void freezer_thaw_all(const char *parent, const char *prefix);

/** The file that freezer_set() writes, for one who can only write. */
void freezer_file(const char *parent, const char *id, char *out, size_t size);

/** What to write there to thaw. Static. */
const char *freezer_thaw_word(void);

#endif
