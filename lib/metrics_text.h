/* SPDX-License-Identifier: MIT */
#ifndef LIB_METRICS_TEXT_H
#define LIB_METRICS_TEXT_H

#include "lib/buf.h"
#include "lib/err.h"

/** A thread that serves one text over HTTP at GET /metrics, so that a scrape waits for no node. */
struct metrics_text;

/** @at host:port, numeric: OGPU_METRICS_LISTEN. @return E_CONFIG when that is no such address or is
 * taken */
MUST_CHECK enum err_code metrics_text_start(const char *at, struct metrics_text **out,
                                            struct err *err);

/** What is served from now on; taken over, for what was served before. */
void metrics_text_set(struct metrics_text *m, struct buf *text);

/** Ends the thread; NULL allowed. */
void metrics_text_stop(struct metrics_text *m);

#endif
