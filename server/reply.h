/* SPDX-License-Identifier: MIT */
#ifndef SERVER_REPLY_H
#define SERVER_REPLY_H

#include <microhttpd.h>
#include <stdbool.h>

#include "lib/err.h"
#include "lib/fields.h"
#include "server/request.h"

/** Take back a reply that was not sent: closes its file, forgets its headers. */
void reply_clear(struct request *req);

/**
 * Set the reply to a problem (RFC 9457) with the headers its status wants.
 *
 * @code    E_OK is answered as E_INTERNAL
 * @detail  a sentence; copied
 * @bad     violations for `errors[]`; NULL: none
 */
void reply_problem(struct request *req, enum err_code code, const char *detail,
                   const struct violations *bad);

/** What a problem's body says. */
struct problem {
    enum err_code code;
    const char *base;     /**< prefix of the type URI, "" for a relative one */
    struct text instance; /**< the path that was asked for */
    const char *request_id;
    const char *detail;           /**< a sentence; "" or no UTF-8: the title stands in */
    const struct violations *bad; /**< NULL: none */
};

/**
 * The body of a problem: RFC 9457 members, `code`, `request_id`, `errors[]`, and the `error{}`
 * member that OpenAI-style clients read.
 *
 * @return JSON text in the arena
 */
struct text problem_body(struct arena *arena, const struct problem *p);

/** Takes one header. @return false: it did not */
typedef bool reply_sink(void *ctx, const char *name, const char *value);

/** Every header of the reply but those about its length and time. @return false as soon as `sink`
 * does */
bool reply_headers(const struct request *req, reply_sink *sink, void *ctx);

/** Give the reply to libmicrohttpd. @return MHD_NO: the connection must be closed */
enum MHD_Result reply_queue(struct request *req);

#endif
