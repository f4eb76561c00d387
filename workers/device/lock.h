/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_DEVICE_LOCK_H
#define WORKERS_DEVICE_LOCK_H

#include <stdbool.h>

/* The lock file of one card, below a folder that all workers of a machine share. */

/** Make the folder, where it is not there. @return whether locks can be made in it; errno if not */
bool lock_folder(const char *dir);

/**
 * Take a card's lock if nobody has it.
 *
 * @clean  whether its last holder left the card scrubbed
 * @return a descriptor for lock_drop(); -1 when somebody has it (errno EWOULDBLOCK) or it cannot be
 */
int lock_take(const char *dir, const char *uuid, bool *clean);

/** Whether somebody, in this process or another, holds it. */
bool lock_is_held(const char *dir, const char *uuid);

/** Write down whether the card is clean. @return false with errno */
bool lock_mark(int lock, bool clean);

/** Let it go. */
void lock_drop(int lock);

#endif
