/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_AGENT_NOTIFY_H
#define WORKERS_AGENT_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/**
 * Tell the service manager that our end may take this long from now, so that it does not kill us
 * before: EXTEND_TIMEOUT_USEC of sd_notify(3), to the datagram socket that $NOTIFY_SOCKET names (a
 * path, or "@name" for an abstract one). It only ever lengthens what the unit's TimeoutStopSec
 * says.
 *
 * @seconds  0 or more
 * @return whether it was told: false without a manager that listens
 */
bool notify_end_takes(int64_t seconds);

#endif
