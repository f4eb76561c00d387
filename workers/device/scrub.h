/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_DEVICE_SCRUB_H
#define WORKERS_DEVICE_SCRUB_H

#include "lib/err.h"
#include "workers/device/device.h"

/** The word on the command line that makes this program a scrubber: SCRUB_WORD UUID. */
#define SCRUB_WORD "device-scrub"

/** What became of a scrub. */
enum scrub_end {
    SCRUB_CLEAN,
    SCRUB_NO_DRIVER, /**< there is no CUDA driver to do it with */
    SCRUB_RESIDUE,   /**< bytes of before were read after zeros had been written */
    SCRUB_PARTIAL,   /**< not all could be had: refused though free, or held by nobody known */
    SCRUB_HELD,      /**< processes are on the card: what they hold cannot be scrubbed yet */
    SCRUB_FAILED     /**< the driver refused, or did not come back in time */
};

/**
 * Fill a card's memory with zeros and read samples of it back, in a process of its own: a driver
 * that hangs must not hang the worker, and the context's memory goes with the process.
 *
 * @uuid   of a card or a slice; the only name by which it is chosen
 * @why    one sentence when the end is not SCRUB_CLEAN; SCRUB_TEXT_MAX bytes
 */
#define SCRUB_TEXT_MAX 160
enum scrub_end device_scrub(const char *uuid, char why[SCRUB_TEXT_MAX]);

/** The process's main. Prints one JSON object; the exit status is an enum scrub_end. */
int device_scrub_main(const char *uuid);

#endif
