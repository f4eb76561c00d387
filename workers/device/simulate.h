/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_DEVICE_SIMULATE_H
#define WORKERS_DEVICE_SIMULATE_H

#include "workers/device/device.h"

/**
 * Append the cards that a file tells of, for machines and tests without any. docs/gpu.md has its
 * form. It is read anew at each look: a test that changes it changes the cards. `xid` in it is an
 * event, taken once per change of the file.
 *
 * @taken_ns  change time of the file when events were last taken; updated
 * @return    E_CONFIG
 */
MUST_CHECK enum err_code simulate_cards(const char *file, int64_t *taken_ns,
                                        struct device_list *out, struct err *err);

#endif
