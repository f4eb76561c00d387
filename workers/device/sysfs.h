/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_DEVICE_SYSFS_H
#define WORKERS_DEVICE_SYSFS_H

#include "workers/device/device.h"

/** The CPU as /proc/cpuinfo, /proc/meminfo and uname tell. @root "" or a folder that stands for /.
 */
struct device sysfs_cpu(const char *root);

/** Append the cards that the kernel's amdgpu driver tells of below /sys/class/drm. */
void sysfs_amd_cards(const char *root, struct device_list *out);

#endif
