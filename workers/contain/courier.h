/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_CONTAIN_COURIER_H
#define WORKERS_CONTAIN_COURIER_H

#include <poll.h>

#include "lib/err.h"
#include "workers/contain/box.h"
#include "workers/contain/http_in.h"
#include "workers/contain/life.h"

/*
 * OpenGPU's container contract, from the provider's side: wait until port 5555 takes connections,
 * POST /run/{function}/{task_address} with the input, expect 202, then wait for the one callback
 * POST {CALLBACK_URL}/{task_address}. Both sockets are made inside the container's network
 * namespace, so nothing of it can be reached from anywhere else.
 */

#define COURIER_PORT          5555
#define COURIER_CALLBACK_PORT 20000
#define COURIER_CALLBACK_URL  "http://127.0.0.1:20000"
#define COURIER_CALLERS_MAX   4
#define COURIER_FDS           (2 + COURIER_CALLERS_MAX)

enum courier_state {
    COURIER_KNOCKING,
    COURIER_ASKING, /**< readiness: GET sent, or about to be */
    COURIER_SENDING,
    COURIER_ANSWER,
    COURIER_WAITING,
    COURIER_DELIVERED,
    COURIER_BROKEN
};

struct courier {
    const struct life *life;
    const struct box_spec *spec;
    enum courier_state state;
    int listener;
    int run;    /**< the connection to port 5555 */
    bool ready; /**< readiness was asked for and answered with 200 */
    int64_t next_knock_us;
    struct buf request;
    size_t sent;
    char answer[64]; /**< beginning of the status line */
    size_t answered;
    struct {
        int fd; /**< -1: free */
        struct http_in in;
        int64_t until_us;
        bool leaving; /**< answered; what it still sends is thrown away */
    } callers[COURIER_CALLERS_MAX];
    struct buf result;           /**< the callback's body */
    enum box_end end;            /**< with COURIER_BROKEN: what to report */
    char reason[BOX_REASON_MAX]; /**< with COURIER_BROKEN */
    int64_t accepted_us;         /**< monotonic time of the 202; 0 before */
    /** Requests that the contract does not know: another task's, a second callback, bad HTTP. */
    unsigned strikes;
};

/**
 * Make the callback listener, before the source starts, and the request.
 *
 * @input  body of the POST
 * @return E_IO; courier_done() is due in any case
 */
MUST_CHECK enum err_code courier_begin(struct courier *c, const struct life *life,
                                       const void *input, size_t n, struct err *err);

/** Fill COURIER_FDS poll rows (fd -1 where there is nothing to wait for). @return microseconds
 * until it wants a turn. */
int64_t courier_wants(struct courier *c, struct pollfd *rows);

/** What the source has not done yet, for the reason of a deadline; static. */
const char *courier_missing(const struct courier *c);

/** Do what can be done now. Look at `state` afterwards. */
void courier_turn(struct courier *c, const struct pollfd *rows);

/** Close and free. */
void courier_done(struct courier *c);

#endif
