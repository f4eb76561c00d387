/* SPDX-License-Identifier: MIT */
#ifndef SERVER_STATIC_H
#define SERVER_STATIC_H

#include "lib/bytes.h"

/**
 * The files of the documentation page, read into memory at start: no path of a request ever meets
 * the file system.
 */
struct statics;

/** One file. */
struct static_file {
    const char *name;
    const char *media_type;
    struct bytes bytes;
    char tag[65]; /**< SHA-256 in hex: the ETag */
};

/**
 * Read the regular files of a folder (not of folders in it), up to 64 files and 16 MiB in all.
 *
 * @dir  NULL or a folder that cannot be read: no files, logged
 */
struct statics *statics_read(const char *dir);
void statics_free(struct statics *s);

/** The file of this name; NULL when there is none. */
const struct static_file *statics_find(const struct statics *s, struct text name);

#endif
