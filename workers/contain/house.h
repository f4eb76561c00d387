/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_CONTAIN_HOUSE_H
#define WORKERS_CONTAIN_HOUSE_H

#include "lib/err.h"
#include "workers/contain/box.h"

/*
 * The supervisor's view of the file system. Everything that one run needs lies in a tmpfs that only
 * its mount namespace knows, so there is nothing to clean up: it ends with the supervisor.
 */
#define HOUSE        "/run/box"
#define HOUSE_ROOTFS HOUSE "/rootfs"
#define HOUSE_OUT    HOUSE "/out"
#define HOUSE_IN     HOUSE "/in"
#define HOUSE_GIVEN  HOUSE "/given"  /**< input files: …/0, …/1 in the order of the request */
#define HOUSE_CACHES HOUSE "/caches" /**< …/0, …/1 in the order of the request */
#define HOUSE_STATE  HOUSE "/state"
#define HOUSE_LOG    HOUSE "/runtime.log"
#define HOUSE_PID    HOUSE "/pid"

/**
 * Make it: private propagation, a /proc of our pid namespace, a tmpfs on /run, the image as an
 * idmapped read-only mount, a sized tmpfs for /out, input files and caches as read-only mounts;
 * and, on hybrid hosts, the v2 half of the cgroup mounts hidden (crun refuses to run beside it).
 *
 * @return E_IO naming the step
 */
MUST_CHECK enum err_code house_build(const struct box_spec *spec, struct err *err);

#endif
