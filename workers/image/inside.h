/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_IMAGE_INSIDE_H
#define WORKERS_IMAGE_INSIDE_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/** Paths that stay inside a folder, whatever an image says. */

/**
 * A path without leading slashes, "." and doubled slashes; "" for the folder itself.
 *
 * @out    PATH_MAX bytes
 * @return false when it has "..", is too long or too deep
 */
bool inside_clean(const char *raw, char out[PATH_MAX]);

/**
 * The folder that holds a clean path's last component, resolved as if `root` were "/".
 *
 * @folders  how many missing ones may be made (0755), counted down; NULL: none
 * @name     points at the last component within `path`
 * @return   a descriptor; -1 with errno: EDQUOT when more would have to be made, ENAMETOOLONG when
 * it is, or the way to it leads over, a folder more than 64 below the root, whatever the path
 */
int inside_parent(int root, const char *path, int64_t *folders, const char **name);

/**
 * Remove all that a folder holds, however deep, with a constant number of descriptors and a small
 * stack; what stays does not keep the rest. Nobody else may be writing there.
 *
 * @return false with errno; something that stays is named in the log
 */
bool inside_empty(int dir);

#endif
