/* SPDX-License-Identifier: MIT */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"

/**
 * What /metrics shows, in Prometheus text format 0.0.4. HTTP thread only; what other threads count
 * is read by registered sources, with whatever care those need.
 */
struct metrics;
struct router;

/** Writes its families; `ctx` as registered. Runs on the HTTP thread, must not block. */
typedef void (*metrics_source)(struct buf *out, void *ctx);

/** @version  label of ogpu_build_info; copied */
struct metrics *metrics_new(const struct router *router, const char *version);
void metrics_free(struct metrics *m);

/** Add a source; before server_run(). */
void metrics_register(struct metrics *m, metrics_source source, void *ctx);

/**
 * Count a finished request.
 *
 * @route   index of router_at(); router_count() when no route was found
 * @head    whether it was HEAD on a GET route
 * @us      from its first line to its end
 */
void metrics_request(struct metrics *m, size_t route, bool head, int status, int64_t us);

/** Count a request refused before routing, by reason; `reason` is static. */
void metrics_refused(struct metrics *m);

/** Write everything. Stops quietly at the buffer's cap. */
void metrics_write(struct metrics *m, struct buf *out);

/** Write HELP and TYPE of a family; once per family, before its samples. */
void metrics_family(struct buf *out, const char *name, const char *type, const char *help);

/** Write one sample; `labels` as `a="b",c="d"`, NULL for none. Values of labels must hold no quote.
 */
void metrics_sample(struct buf *out, const char *name, const char *labels, double value);

#endif
