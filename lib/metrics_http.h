/* SPDX-License-Identifier: MIT */
#ifndef LIB_METRICS_HTTP_H
#define LIB_METRICS_HTTP_H

#include <pthread.h>
#include <stdatomic.h>

#include "lib/buf.h"
#include "lib/err.h"

/**
 * Writes the metrics as Prometheus text (exposition format 0.0.4). Called in the server's thread.
 *
 * @return  any error: the scrape is answered with status 500
 */
typedef enum err_code (*metrics_fill)(void *ctx, struct buf *out, struct err *err);

/** A thread that answers GET /metrics, one connection at a time, each for two seconds at most. */
struct metrics_http {
    int fd; /**< listener; -1: none */
    bool runs;
    pthread_t thread;
    atomic_bool over;
    metrics_fill fill;
    void *ctx;
};

/**
 * Listen; nothing is answered yet.
 *
 * @option  its name, for the text of a failure
 * @at      host:port, both numeric
 * @m       zero; unchanged but for `fd`. To be ended with metrics_http_close()
 * @return  E_CONFIG when that is no such address or is taken
 */
MUST_CHECK enum err_code metrics_http_open(struct metrics_http *m, const char *option,
                                           const char *at, struct err *err);

/** Start the thread. @ctx of fill(); both are used until metrics_http_close() @return E_INTERNAL */
MUST_CHECK enum err_code metrics_http_start(struct metrics_http *m, metrics_fill fill, void *ctx,
                                            struct err *err);

/** End the thread, if it runs, and the listener, if there is one. */
void metrics_http_close(struct metrics_http *m);

#endif
