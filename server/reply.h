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

/**
 * The body of a problem: RFC 9457 members, `code`, `request_id`, `errors[]`, and the `error{}`
 * member that OpenAI-style clients read.
 *
 * @base      prefix of the type URI, "" for a relative one
 * @instance  the path that was asked for
 * @return    JSON text in the arena
 */
struct text problem_body(struct arena *arena, enum err_code code, const char *base,
                         struct text instance, const char *request_id, const char *detail,
                         const struct violations *bad);

/** Give the reply to libmicrohttpd. @return MHD_NO: the connection must be closed */
enum MHD_Result reply_queue(struct request *req);

#endif
