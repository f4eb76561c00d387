/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_IMAGE_EVICT_H
#define WORKERS_IMAGE_EVICT_H

#include <stdint.h>

#include "workers/image/image.h"

/*
 * The cache has a budget. Each image keeps its size and, as the time of its file `used`, when it
 * was asked for last; who asked for it holds a shared lock on its rootfs until nobody can look at
 * it any more. What nobody holds goes, the longest unused first, until the rest fits, and while the
 * disk is short of room, whoever fills it.
 */

/** Note that an image was asked for, and (once, when it is made) what it takes on disk. */
void evict_note(const char *image_dir, int64_t bytes);

/** A shared lock on an image's rootfs; -1 when it is not there (any more). */
int evict_hold(const char *rootfs);

/**
 * Remove what is over the budget, or in the way of the room that the disk must have left.
 *
 * @st    its limits.cache_bytes is the budget, limits.free_bytes the room; 0 is none
 * @keep  hex digest of one that stays in any case
 * @return how many images went
 */
unsigned evict_trim(const struct image_store *st, const char *keep);

/** The same, when the disk has less room than limits.free_bytes: cheap to ask where it has more. */
unsigned evict_if_short(const struct image_store *st, const char *keep);

#endif
