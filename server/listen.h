/* SPDX-License-Identifier: MIT */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include <stdint.h>

#include "lib/err.h"

/**
 * A bound, listening, non-blocking TCP socket.
 *
 * @address  "host:port", "[v6]:port" or ":port" (every address); port 0 takes a free one
 * @return   E_CONFIG when the address cannot be read, E_IO when it is taken
 */
MUST_CHECK enum err_code listen_open(const char *address, int *out, struct err *err);

/** Port of a bound socket; 0 when it is none. */
uint16_t listen_port(int fd);

#endif
