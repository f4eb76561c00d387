/* SPDX-License-Identifier: MIT */
#include "core/task_fsm.h"

static const struct task_edge edges[] = {
    {TASK_QUEUED, TASK_EV_CLAIM, TASK_REST_LIVE, TASK_RUNNING, BY_PROVIDER},
    {TASK_RUNNING, TASK_EV_CLAIM, TASK_REST_LIVE, TASK_RUNNING, BY_PROVIDER},
    {TASK_VERIFYING, TASK_EV_CLAIM, TASK_REST_CHECKING, TASK_VERIFYING, BY_PROVIDER},

    {TASK_RUNNING, TASK_EV_ATTEMPT_ENDED, TASK_REST_LIVE, TASK_RUNNING, BY_PROVIDER | BY_KEEPER},
    {TASK_RUNNING, TASK_EV_ATTEMPT_ENDED, TASK_REST_NONE, TASK_QUEUED, BY_PROVIDER | BY_KEEPER},
    {TASK_VERIFYING, TASK_EV_ATTEMPT_ENDED, TASK_REST_CHECKING, TASK_VERIFYING,
     BY_PROVIDER | BY_KEEPER},

    {TASK_RUNNING, TASK_EV_RESPOND, TASK_REST_CHECKING, TASK_VERIFYING, BY_PROVIDER},
    {TASK_VERIFYING, TASK_EV_RESPOND, TASK_REST_CHECKING, TASK_VERIFYING, BY_PROVIDER},

    {TASK_VERIFYING, TASK_EV_PASS, TASK_REST_CHECKING, TASK_VERIFYING, BY_CHECKER},
    {TASK_VERIFYING, TASK_EV_REJECT, TASK_REST_CHECKING, TASK_VERIFYING, BY_CHECKER},
    {TASK_VERIFYING, TASK_EV_REJECT, TASK_REST_LIVE, TASK_RUNNING, BY_CHECKER},
    {TASK_VERIFYING, TASK_EV_REJECT, TASK_REST_NONE, TASK_QUEUED, BY_CHECKER},
    {TASK_VERIFYING, TASK_EV_ACCEPT, TASK_REST_NONE, TASK_SUCCEEDED, BY_CHECKER},

    {TASK_QUEUED, TASK_EV_CANCEL, TASK_REST_NONE, TASK_CANCELED, BY_CLIENT},

    /* A response that came in time gets its verdict first, so verifying does not expire. */
    {TASK_QUEUED, TASK_EV_EXPIRE, TASK_REST_NONE, TASK_EXPIRED, BY_KEEPER},
    {TASK_RUNNING, TASK_EV_EXPIRE, TASK_REST_NONE, TASK_EXPIRED, BY_KEEPER},

    /* Nothing can be paid after it, so not even a response that came in time is judged. */
    {TASK_QUEUED, TASK_EV_EXIT, TASK_REST_NONE, TASK_CANCELED, BY_CHAIN},
    {TASK_RUNNING, TASK_EV_EXIT, TASK_REST_NONE, TASK_CANCELED, BY_CHAIN},
    {TASK_VERIFYING, TASK_EV_EXIT, TASK_REST_NONE, TASK_CANCELED, BY_CHAIN},

    {TASK_RUNNING, TASK_EV_EXHAUST, TASK_REST_NONE, TASK_FAILED, BY_PROVIDER | BY_KEEPER},
    {TASK_VERIFYING, TASK_EV_EXHAUST, TASK_REST_NONE, TASK_FAILED, BY_CHECKER},
};

static const char *const status_names[TASK_STATUS_COUNT] = {
    [TASK_QUEUED] = "queued",       [TASK_RUNNING] = "running", [TASK_VERIFYING] = "verifying",
    [TASK_SUCCEEDED] = "succeeded", [TASK_FAILED] = "failed",   [TASK_CANCELED] = "canceled",
    [TASK_EXPIRED] = "expired",
};

static const char *const event_names[TASK_EVENT_COUNT] = {
    [TASK_EV_CLAIM] = "claim",     [TASK_EV_ATTEMPT_ENDED] = "attempt_ended",
    [TASK_EV_RESPOND] = "respond", [TASK_EV_PASS] = "pass",
    [TASK_EV_REJECT] = "reject",   [TASK_EV_ACCEPT] = "accept",
    [TASK_EV_CANCEL] = "cancel",   [TASK_EV_EXPIRE] = "expire",
    [TASK_EV_EXHAUST] = "exhaust", [TASK_EV_EXIT] = "exit",
};

bool task_is_open(enum task_status s)
{
    return s == TASK_QUEUED || s == TASK_RUNNING || s == TASK_VERIFYING;
}

const char *task_status_name(enum task_status s)
{
    return (unsigned)s < TASK_STATUS_COUNT ? status_names[s] : "unknown";
}

const char *task_event_name(enum task_event e)
{
    return (unsigned)e < TASK_EVENT_COUNT ? event_names[e] : "unknown";
}

const struct task_edge *task_edges(size_t *n)
{
    *n = ARRAY_LEN(edges);
    return edges;
}
