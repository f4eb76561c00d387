/* SPDX-License-Identifier: MIT */
#ifndef CORE_TASK_FSM_H
#define CORE_TASK_FSM_H

#include "lib/err.h"

/** A task's status; names are stored in the database: append only. */
enum task_status {
    TASK_QUEUED,
    TASK_RUNNING,
    TASK_VERIFYING,
    TASK_SUCCEEDED,
    TASK_FAILED,
    TASK_CANCELED,
    TASK_EXPIRED,
    TASK_STATUS_COUNT
};

/** What happens to a task. */
enum task_event {
    TASK_EV_CLAIM,         /**< an attempt was opened */
    TASK_EV_ATTEMPT_ENDED, /**< an attempt failed, lapsed or was released */
    TASK_EV_RESPOND,       /**< a response was stored */
    TASK_EV_PASS,          /**< a response passed its checks and waits for earlier ones */
    TASK_EV_REJECT,        /**< a response failed its checks */
    TASK_EV_ACCEPT,        /**< a response won */
    TASK_EV_CANCEL,        /**< the client took it back */
    TASK_EV_EXPIRE,        /**< its time is over */
    TASK_EV_EXHAUST,       /**< the last attempt ended and too many have failed */
    TASK_EV_EXIT,          /**< a forced exit has begun on chain: no answer can be paid any more */
    TASK_EVENT_COUNT
};

/** What the task still has after the event; checks weigh more than attempts that only run. */
enum task_rest { TASK_REST_NONE, TASK_REST_LIVE, TASK_REST_CHECKING, TASK_REST_COUNT };

/** Who causes an event; a mask in edges. */
enum task_actor {
    BY_CLIENT = 1,
    BY_PROVIDER = 2, /**< its worker, or the gateway whose answer did not reach that */
    BY_CHECKER = 4,  /**< the checks of a response, in any gateway */
    BY_KEEPER = 8,
    BY_CHAIN = 16 /**< what the indexer booked */
};

/** A change that may happen. */
struct task_edge {
    enum task_status from;
    enum task_event event;
    enum task_rest rest;
    enum task_status to;
    unsigned actors; /**< mask of enum task_actor */
};

/** queued, running and verifying are open. */
bool task_is_open(enum task_status s);

/** The stored name; static. */
const char *task_status_name(enum task_status s);
const char *task_event_name(enum task_event e);

/**
 * All edges; static. The statements of db/sql decide, under their locks: this is the model that
 * they are held to. tests/sql/play.test.mjs lets them play at random: each change that they make of
 * a task is one of these rows, and each row is made by each of its actors.
 */
const struct task_edge *task_edges(size_t *n);

#endif
