/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_AGENT_METRICS_H
#define WORKERS_AGENT_METRICS_H

#include "lib/err.h"
#include "workers/agent/slot.h"

/** Listen on 127.0.0.1. @port 0: no listener @return E_CONFIG when the port is taken */
MUST_CHECK enum err_code metrics_listen(struct agent *a, int64_t port, struct err *err);

/** Answer GET /metrics there from now on, until metrics_http_close(). @return E_INTERNAL */
MUST_CHECK enum err_code metrics_start(struct agent *a, struct err *err);

#endif
