/* SPDX-License-Identifier: MIT */
#ifndef LIB_UNIX_SOCKET_H
#define LIB_UNIX_SOCKET_H

#include "lib/err.h"

/**
 * Listen at a unix socket (stream, close-on-exec, mode 0600). A socket there that nobody listens
 * at, left by a process that was killed, is replaced; anything else there stays as it is.
 *
 * @path    of the socket to make
 * @out     the caller closes it and unlinks the path
 * @return  E_CONFIG when the path is too long, or is taken by a file or by a live listener
 */
MUST_CHECK enum err_code unix_listen(const char *path, int *out, struct err *err);

/**
 * Connect to one.
 *
 * @out     the caller closes it (stream, close-on-exec, blocking)
 * @return  E_CONFIG when the path is too long, E_PEER when nobody answers there; the text is only
 *          `PATH: why`, for the caller's sentence
 */
MUST_CHECK enum err_code unix_connect(const char *path, int *out, struct err *err);

#endif
