/* SPDX-License-Identifier: MIT */
#ifndef RELAYER_METRICS_H
#define RELAYER_METRICS_H

#include "lib/buf.h"
#include "lib/err.h"

/** A thread that serves one text over HTTP at GET /metrics, so that a scrape waits for no node. */
struct metrics;

/** @at host:port, numeric. @return E_CONFIG */
MUST_CHECK enum err_code metrics_start(const char *at, struct metrics **out, struct err *err);

/** What is served from now on; taken over, for what was served before. */
void metrics_set(struct metrics *m, struct buf *text);

/** Ends the thread; NULL allowed. */
void metrics_stop(struct metrics *m);

#endif
