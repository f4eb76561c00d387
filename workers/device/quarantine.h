/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_DEVICE_QUARANTINE_H
#define WORKERS_DEVICE_QUARANTINE_H

#include "lib/err.h"
#include "workers/device/device.h"

/* Cards taken out of service: one JSON file each in <work folder>/devices, until a person removes
 * it. */

#define FAULT_CODE_MAX 32
#define FAULT_TEXT_MAX 160

/** Why a card failed. */
struct device_fault {
    char code[FAULT_CODE_MAX]; /**< "xid", "ecc", "scrub", ... */
    char text[FAULT_TEXT_MAX];
    int64_t at_us; /**< wall clock, microseconds since 1970 */
};

/** Path of a card's file below a folder: its UUID, what is no file name replaced. */
void quarantine_path(const char *dir, const char *uuid, const char *ending, char *out, size_t size);

/** Remember it. @return E_IO */
MUST_CHECK enum err_code quarantine_put(const char *dir, const char *uuid,
                                        const struct device_fault *fault, struct err *err);

/** Whether the card is in quarantine. @out may be NULL */
bool quarantine_get(const char *dir, const char *uuid, struct device_fault *out);

/** Put the card back into service. @return E_NOT_FOUND, E_IO */
MUST_CHECK enum err_code quarantine_clear(const char *dir, const char *uuid, struct err *err);

#endif
