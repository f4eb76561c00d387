/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_DEVICES_H
#define WORKERS_DEVICES_H

#include <jansson.h>
#include <stdint.h>

#include "core/manifest.h"

#define DEVICES_MAX 64

/** One processor that can run sources. */
struct device {
    char name[128];
    char uuid[64]; /**< as the driver gives it; "" for the CPU */
    int64_t memory_mb;
    int64_t cores; /**< CPU only */
    char driver[64];
    unsigned environment; /**< ENV_CPU or ENV_NVIDIA */
    int utilization;      /**< per cent; -1 when unknown */
};

/** The CPU, and every NVIDIA card that NVML (found at run time, if at all) tells of. @return how
 * many. */
size_t devices_find(struct device *out, size_t room);

/** The list as the heartbeat carries it; a new reference. */
json_t *devices_json(const struct device *list, size_t n);

#endif
