/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_CHECKUP_H
#define WORKERS_CHECKUP_H

#include "workers/device/device.h"
#include "workers/options.h"
#include "workers/preflight.h"

#define CHECKUP_MAX       16
#define CHECKUP_CARDS_MAX (DEVICES_MAX + 3)

/**
 * What a worker needs beside containers: its folder, its key, its master, the gateways, the clock.
 * An option that is not set is a skipped row, so that a machine can be looked at before it is set
 * up.
 *
 * @rows  CHECKUP_MAX
 * @return how many rows were filled
 */
size_t checkup(const struct options *o, struct preflight_row *rows);

/**
 * Whether the cards can be used: each one's nodes and libraries, the place of their locks, the
 * kernels with which they prove themselves. A machine without any serves the CPU: one row, and it
 * is ok.
 *
 * @rows    CHECKUP_CARDS_MAX
 * @return  how many rows were filled
 */
size_t checkup_cards(const struct options *o, struct preflight_row *rows);

#endif
