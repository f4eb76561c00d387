/* SPDX-License-Identifier: MIT */
#ifndef LIB_SECRET_H
#define LIB_SECRET_H

#include <stddef.h>

#include "lib/err.h"

/**
 * Read a file that holds a secret: regular, ours, no symlink, closed to group and others.
 *
 * @out   `room` bytes; wipe() it after use
 * @n     bytes read
 * @return E_CONFIG with a sentence that names the file; also when it holds more than `room`
 */
MUST_CHECK enum err_code secret_read(const char *path, void *out, size_t room, size_t *n,
                                     struct err *err);

#endif
