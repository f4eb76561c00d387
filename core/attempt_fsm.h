/* SPDX-License-Identifier: MIT */
#ifndef CORE_ATTEMPT_FSM_H
#define CORE_ATTEMPT_FSM_H

#include "core/task_fsm.h"

/** An attempt's state; names are stored in the database: append only. */
enum attempt_state {
    ATTEMPT_LIVE,      /**< works under its lease */
    ATTEMPT_RESPONDED, /**< its response is being checked */
    ATTEMPT_WON,
    ATTEMPT_BEATEN,   /**< another response was accepted first, or the forced exit came first */
    ATTEMPT_REJECTED, /**< its response failed the checks */
    ATTEMPT_FAILED,   /**< the worker gave up */
    ATTEMPT_LAPSED,   /**< its lease ran out */
    ATTEMPT_RELEASED, /**< handed back, the claim's answer was not delivered, or the exit began */
    ATTEMPT_STATE_COUNT
};

enum attempt_event {
    ATTEMPT_EV_RESPOND,
    ATTEMPT_EV_WIN,
    ATTEMPT_EV_LOSE,
    ATTEMPT_EV_REJECT,
    ATTEMPT_EV_FAIL,
    ATTEMPT_EV_LAPSE,
    ATTEMPT_EV_RELEASE,
    ATTEMPT_EVENT_COUNT
};

struct attempt_edge {
    enum attempt_state from;
    enum attempt_event event;
    enum attempt_state to;
    unsigned actors; /**< mask of enum task_actor */
};

/** live and responded hold a slot of the task. */
bool attempt_holds_slot(enum attempt_state s);

/** rejected, failed and lapsed count against the provider, and while the task is open against its
 * limit; others do not. */
bool attempt_has_penalty(enum attempt_state s);

const char *attempt_state_name(enum attempt_state s);
const char *attempt_event_name(enum attempt_event e);

/** All edges; static. A model, as task_edges is: each change of an attempt is one of these rows. */
const struct attempt_edge *attempt_edges(size_t *n);

#endif
