/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_DEVICE_NVML_H
#define WORKERS_DEVICE_NVML_H

#include "workers/device/device.h"

/* NVIDIA's management library, found at run time or not at all. Not for two threads at once. */

struct nvml;

/**
 * Open it and listen for error events from now on.
 *
 * @tell    log it when it is there but unusable: its kernel module may still be loading
 * @return  NULL where it is missing or unusable
 */
struct nvml *nvml_open(bool tell);
void nvml_close(struct nvml *n);

/**
 * Append every card, a card in MIG mode followed by its slices. One that has fallen off the bus
 * answers nothing, not even its name, and is left out. Error events since the last call are in
 * `xid`.
 */
void nvml_cards(struct nvml *n, struct device_list *out);

#endif
