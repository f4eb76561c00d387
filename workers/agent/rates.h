/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_AGENT_RATES_H
#define WORKERS_AGENT_RATES_H

#include <jansson.h>

#include "workers/agent/identity.h"
#include "workers/kernels/kernels.h"

/**
 * A card's rates as the heartbeat carries them (openapi: Benchmarks), signed with the provider's
 * key.
 *
 * @uuid  of the card
 * @at_s  Unix seconds of the measurement
 * @out   a new reference
 * @return E_RANGE when a rate is no number, zero, or beyond what the contract takes; E_PEER when
 * the signer is away
 */
MUST_CHECK enum err_code rates_json(const struct identity *me, const char *uuid,
                                    const struct kernels_rates *r, int64_t at_s, json_t **out,
                                    struct err *err);

#endif
