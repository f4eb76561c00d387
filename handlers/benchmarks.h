/* SPDX-License-Identifier: MIT */
#ifndef HANDLERS_BENCHMARKS_H
#define HANDLERS_BENCHMARKS_H

#include "server/op.h"

/** Whether any of a heartbeat's devices brings rates. @devices fits the contract (Device) */
bool benchmarks_there(const json_t *devices);

/**
 * Check the rates of a heartbeat's devices: each is of a device with a UUID, not of the future, and
 * signed by the provider that asks. For pool work.
 *
 * @devices  fit the contract (Device)
 * @op       its err becomes E_VALIDATION or E_BAD_SIGNATURE, with the device's place in the list
 */
void benchmarks_check(struct op *op, const json_t *devices);

#endif
