/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_CONTAIN_EGRESS_HEAD_H
#define WORKERS_CONTAIN_EGRESS_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/egress.h"
#include "lib/buf.h"

/*
 * The head of a request to a forward proxy (RFC 9112 3.2.2, 3.2.3; RFC 9110 7.6.1), from a source
 * that is not trusted: CONNECT, or an http:// URL. What one reader could take for something else
 * than another is refused, not repaired.
 */

#define EGRESS_HEAD_MAX 16384

/** Where the source wants to go. */
struct egress_request {
    bool tunnel;                    /**< CONNECT */
    char host[EGRESS_NAME_MAX + 1]; /**< as egress_name() has it */
    uint16_t port;
    int64_t length; /**< bytes of body that belong to it; 0 with CONNECT */
};

/** Why not. */
struct egress_refusal {
    int status;      /**< of HTTP */
    const char *why; /**< one line; static */
};

/**
 * Read a head.
 *
 * @head     up to and with the empty line
 * @forward  gets the head for the host itself (origin form, one request a connection); nothing with
 *           CONNECT. Its cap is the caller's
 * @no       filled when it is refused
 * @return   whether it is a request
 */
bool egress_head_read(const char *head, size_t n, struct egress_request *out, struct buf *forward,
                      struct egress_refusal *no);

#endif
