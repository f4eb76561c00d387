/* SPDX-License-Identifier: MIT */
#ifndef LIB_HTTP_H
#define LIB_HTTP_H

#include <stdbool.h>
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
    int body_fd; /**< upload from this file's offset 0 instead of body when > 0 */
    int64_t body_fd_len;
    int64_t timeout_ms; /**< whole call; 0: 30 s */
    size_t max_reply;   /**< reply bytes kept; more is E_TOO_LARGE; 0: 1 MiB */
    int reply_fd;       /**< write the reply body to this file instead of reply->body when > 0 */
    /** Asked about once a second, and when data moves; true ends the call with E_TIMEOUT. NULL:
     * never. */
    bool (*stop)(void *ctx);
    void *stop_ctx;
    /** Connect to public addresses only (IANA special-purpose registries), whatever names and
     * redirects say; a proxy of the environment counts as the address. Else E_PEER. */
    bool public_only;
};

struct http_reply {
    int status;
    struct buf body;
    char content_type[96];
    char location[1024];     /**< of a redirect, which is not followed; "" when absent or longer */
    char authenticate[1024]; /**< WWW-Authenticate; "" when absent or longer */
    char date[40];           /**< Date; "" when absent or longer */
    int64_t retry_after_s;   /**< 0 when absent */
    int64_t reply_len;       /**< body bytes received */
    int64_t content_length;  /**< as told, which is what HEAD is for; -1 when absent */
};

/** A client that trusts the system's roots. Aborts only on memory. */
struct http_client *http_client_new(void);

/** Close its connections; NULL allowed. */
void http_client_free(struct http_client *c);

/**
 * One call. No redirects are followed, no content is decoded. HTTP status is not an error here.
 *
 * @reply   body freed by the caller with buf_done(); zero-initialise
 * @return  E_PEER (no connection, broken reply), E_TIMEOUT, E_TOO_LARGE, E_IO (the given files)
 */
MUST_CHECK enum err_code http_do(struct http_client *c, const struct http_call *call,
                                 struct http_reply *reply, struct err *err);

/** The Unix time of a Date header's text; 0 when it is none. */
int64_t http_date(const char *text);

#endif
