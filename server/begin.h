/* SPDX-License-Identifier: MIT */
#ifndef SERVER_BEGIN_H
#define SERVER_BEGIN_H

#include <stdbool.h>
#include <stddef.h>

#include "server/request.h"

/* The way of every request from its head to its operation's first step. HTTP thread. */

/**
 * The headers are in and were found sound: find the route, refuse what can be refused without the
 * body. Sets a reply when it refuses.
 */
void begin_head(struct request *req);

/** First step, when the body is there (streams: before it): credentials, body, fields, then parse.
 */
enum op_next begin_step(struct op *op);

/** Take bytes of a JSON (or forbidden) body; sets a reply when they are too many. */
void begin_collect(struct request *req, const char *data, size_t n);

/** The longest body that the request's operation takes, in bytes; for none, room for `{}`. */
size_t begin_body_max(const struct request *req);

#endif
