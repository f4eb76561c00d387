/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_AGENT_METRICS_H
#define WORKERS_AGENT_METRICS_H

#include "lib/buf.h"
#include "workers/agent/slot.h"

/** The metrics as Prometheus text (exposition format 0.0.4). @return E_TOO_LARGE. */
MUST_CHECK enum err_code metrics_text(struct agent *a, struct buf *out, struct err *err);

/** Listen on 127.0.0.1. @port 0: no listener, `*out` -1. @return E_CONFIG when the port is taken */
MUST_CHECK enum err_code metrics_listen(int64_t port, int *out, struct err *err);

/** The thread that answers GET /metrics on `agent->metrics_fd` until the worker is over. @arg
 * struct agent * */
void *metrics_main(void *arg);

#endif
