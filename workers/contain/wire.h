/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_CONTAIN_WIRE_H
#define WORKERS_CONTAIN_WIRE_H

#include <jansson.h>

#include "lib/err.h"
#include "workers/contain/box.h"

/* What box_run() and its supervisor say to each other: one message each way, JSON and descriptors.
 */

/** A sealed memory file with these bytes, positioned at 0. @return E_IO. */
MUST_CHECK enum err_code wire_memfd(const void *p, size_t n, int *out, struct err *err);

/** Send `v` and descriptors as one message. @return E_IO; E_TOO_LARGE above the descriptor limit.
 */
MUST_CHECK enum err_code wire_send(int sock, const json_t *v, const int *fds, size_t n,
                                   struct err *err);

/**
 * Receive one message.
 *
 * @fds    room for `*n` descriptors; the caller owns what came
 * @n      in: room, out: how many
 * @return E_IO when the other side is gone or the message is broken
 */
MUST_CHECK enum err_code wire_receive(int sock, json_t **out, int *fds, size_t *n, struct err *err);

/** The request as JSON; a new reference, NULL without memory. */
json_t *wire_from_spec(const struct box_spec *spec);

/** The request from JSON; strings borrow from `v`. @return E_INTERNAL. */
MUST_CHECK enum err_code wire_to_spec(const json_t *v, struct box_spec *out, struct err *err);

/** A further task as JSON; a new reference, NULL without memory. */
json_t *wire_from_task(const struct box_task *t);

/** A further task from JSON; strings borrow from `v`. @return E_INTERNAL. */
MUST_CHECK enum err_code wire_to_task(const json_t *v, struct box_task *out, struct err *err);

/** The result (without descriptors) as JSON; a new reference, NULL without memory. */
json_t *wire_from_result(const struct box_result *r);

/** The result from JSON; output descriptors from `fds`, one each. @return E_INTERNAL; `fds` stay
 * the caller's then. */
MUST_CHECK enum err_code wire_to_result(const json_t *v, const int *fds, size_t n,
                                        struct box_result *out, struct err *err);

#endif
