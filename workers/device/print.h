/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_DEVICE_PRINT_H
#define WORKERS_DEVICE_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "lib/err.h"
#include "workers/options.h"

/** One line a device: environment, name, memory, UUID, driver, state, and for a card in quarantine
 * why and how to clear it. @return false with `err` when nothing could be looked at. */
bool devices_print(const struct options *o, FILE *to, struct err *err);

/** All devices with state and figures as a JSON array; a new reference, NULL with `err` when
 * nothing could be looked at. */
json_t *devices_json(const struct options *o, struct err *err);

#endif
