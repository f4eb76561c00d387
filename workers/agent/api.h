/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_AGENT_API_H
#define WORKERS_AGENT_API_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/http.h"
#include "workers/agent/gateways.h"
#include "workers/agent/identity.h"
#include "workers/agent/stats.h"

#define API_REPLY_MAX (8 << 20) /**< bytes of an answer that is not a download */

/** The gateway's HTTP API as one thread of the worker uses it. */
struct api {
    struct http_client *http;
    const struct gateways *gateways;
    size_t at; /**< the gateway that is asked; another one when it is away */
    struct identity *me;
    struct stats *stats;
};

struct api_request {
    const char *method;
    const char *path; /**< "/v1/…" */
    json_t *body;     /**< borrowed; NULL for none */
    int upload_fd;    /**< > 0: send this file instead */
    int64_t upload_len;
    int download_fd; /**< > 0: write the answer's bytes here */
    int64_t download_max;
    bool public_call;        /**< without the token */
    int64_t timeout_ms;      /**< 0: 15 s */
    bool (*stop)(void *ctx); /**< true ends the call; NULL for never */
    void *stop_ctx;
};

struct api_reply {
    int status;
    json_t *body;  /**< NULL when there is none or it is no JSON */
    char code[64]; /**< of a problem, e.g. LEASE_LOST; "" otherwise */
    int64_t retry_after_s;
    int64_t length; /**< HEAD: bytes that a GET would bring; -1 when not told */
};

/** A client for one thread; begins at a random one of the gateways. */
void api_open(struct api *api, const struct gateways *gateways, struct identity *me,
              struct stats *stats);
void api_close(struct api *api);

/** Free a reply's body. */
void api_reply_done(struct api_reply *r);

/**
 * One call. Where no connection can be had, the other gateways are asked at once. A 401 renews the
 * token (once, for all threads) and asks again.
 *
 * @return E_PEER, E_TIMEOUT, E_TOO_LARGE, E_IO: no answer; an answer of any status is E_OK
 */
MUST_CHECK enum err_code api_call(struct api *api, const struct api_request *q,
                                  struct api_reply *out, struct err *err);

/** Whether this outcome may be different next time: no answer, 5xx, 429, 409 with a retry hint. */
bool api_may_retry(enum err_code rc, const struct api_reply *r);

/** How long the gateway asks us to wait; five minutes at most, whatever it says. */
int64_t api_asked_ms(const struct api_reply *r);

/**
 * Call until there is a final answer, waiting longer and longer between tries (with jitter, and at
 * least as long as the gateway asks for).
 *
 * @until_us  monotonic time to give up at
 * @return    the last try's outcome
 */
MUST_CHECK enum err_code api_persist(struct api *api, const struct api_request *q, int64_t until_us,
                                     struct api_reply *out, struct err *err);

/** Register or renew the token. @return E_CONFIG when the gateway refuses us for good; E_PEER,
 * E_TIMEOUT otherwise. */
MUST_CHECK enum err_code api_register(struct api *api, struct err *err);

/** Register again while other threads call: those that meet the old token's end wait for the new
 * one.
 * @return as api_register() */
MUST_CHECK enum err_code api_register_again(struct api *api, struct err *err);

/** Milliseconds to wait before try number `n` (from 0): doubling from 250 ms to 15 s, of that a
 * random half to all. */
int64_t api_backoff_ms(unsigned n);

/** Sleep, but not longer than `stop` stays false. */
void api_sleep(int64_t ms, bool (*stop)(void *ctx), void *ctx);

#endif
