/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_CONTAIN_HTTP_IN_H
#define WORKERS_CONTAIN_HTTP_IN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/buf.h"

/*
 * One HTTP/1.x request, read piece by piece from a source we do not trust (RFC 9112, the part that
 * a client library's POST needs). Anything odd is refused, nothing is guessed.
 */

#define HTTP_IN_HEAD_MAX 16384

enum http_in_state { HTTP_IN_HEAD, HTTP_IN_BODY, HTTP_IN_DONE, HTTP_IN_BAD, HTTP_IN_TOO_LARGE };

struct http_in {
    enum http_in_state state;
    char method[8];
    char path[256];
    bool expects_continue; /**< "Expect: 100-continue": the caller answers 100 once */
    bool chunked;
    int64_t
        left; /**< bytes of body, or of this chunk, still to come; -1 before a chunk's size line */
    struct buf raw; /**< not yet understood, from `at` on */
    size_t at;
    struct buf body; /**< its cap is the limit */
};

/** Begin; `body_max` bytes of body at most. */
void http_in_begin(struct http_in *h, size_t body_max);

/** Take more bytes; look at `state` afterwards. */
void http_in_feed(struct http_in *h, const void *p, size_t n);

/** Free the buffers. */
void http_in_done(struct http_in *h);

#endif
