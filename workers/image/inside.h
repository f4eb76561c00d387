/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_IMAGE_INSIDE_H
#define WORKERS_IMAGE_INSIDE_H

#include <limits.h>
#include <stdbool.h>

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
 * @make   missing folders are made (0755)
 * @name   points at the last component within `path`
 * @return a descriptor; -1 with errno
 */
int inside_parent(int root, const char *path, bool make, const char **name);

/** Remove all that a folder holds. @return false with errno. */
bool inside_empty(int dir);

#endif
