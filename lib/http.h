/* SPDX-License-Identifier: MIT */
#ifndef LIB_HTTP_H
#define LIB_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"
#include "lib/err.h"

/** An outgoing HTTP client (libcurl) that keeps its connections. One thread each. */
struct http_client;

struct http_call {
    const char *method;
    const char *url;
    const char *const *headers; /**< "Name: value" strings, NULL-terminated; NULL for none */
    const void *body;           /**< NULL for none */
    size_t body_len;
    int body_fd; /**< upload from this file instead of body when > 0 */
    int64_t body_fd_len;
    int64_t timeout_ms; /**< whole call */
    size_t max_reply;   /**< reply bytes kept; more is E_TOO_LARGE */
    int reply_fd;       /**< write the reply body to this file instead of reply->body when > 0 */
};

struct http_reply {
    int status;
    struct buf body;
    char content_type[96];
    int64_t retry_after_s; /**< 0 when absent */
};

/** A client; `ca_file` NULL for the system's roots. Aborts only on memory. */
struct http_client *http_client_new(void);
void http_client_free(struct http_client *c);

/**
 * One call. No redirects are followed. HTTP status is not an error here.
 *
 * @reply   body freed by the caller with buf_done(); zero-initialise
 * @return  E_PEER (no connection, broken reply), E_TIMEOUT, E_TOO_LARGE
 */
MUST_CHECK enum err_code http_do(struct http_client *c, const struct http_call *call,
                                 struct http_reply *reply, struct err *err);

#endif
