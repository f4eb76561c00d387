/* SPDX-License-Identifier: MIT */
#ifndef GATEWAY_FIGURES_H
#define GATEWAY_FIGURES_H

#include "server/app.h"
#include "server/metrics.h"

/** Add what keeper and queue count to /metrics; `app` outlives the server. */
void figures_register(struct metrics *metrics, struct app *app);

#endif
