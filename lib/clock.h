/* SPDX-License-Identifier: MIT */
#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Wall clock: microseconds since 1970-01-01 UTC. For ids and logs; leases and expiry use the
 * database's. */
int64_t clock_wall_us(void);

/** Monotonic clock in microseconds, for durations and deadlines. */
int64_t clock_mono_us(void);

#define RFC3339_MAX 32

/** `us` as RFC 3339 UTC with microseconds and Z, e.g. 2026-11-22T18:07:40.000000Z. `out` has
 * RFC3339_MAX bytes. */
void rfc3339_format(int64_t us, char *out);

#endif
