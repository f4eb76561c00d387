/* SPDX-License-Identifier: MIT */
#include "core/attempt_fsm.h"

static const struct attempt_edge edges[] = {
    {ATTEMPT_LIVE, ATTEMPT_EV_RESPOND, ATTEMPT_RESPONDED, BY_PROVIDER},
    {ATTEMPT_LIVE, ATTEMPT_EV_LOSE, ATTEMPT_BEATEN, BY_CHECKER},
    {ATTEMPT_LIVE, ATTEMPT_EV_FAIL, ATTEMPT_FAILED, BY_PROVIDER},
    {ATTEMPT_LIVE, ATTEMPT_EV_LAPSE, ATTEMPT_LAPSED, BY_KEEPER},
    {ATTEMPT_LIVE, ATTEMPT_EV_RELEASE, ATTEMPT_RELEASED, BY_PROVIDER | BY_CHAIN},
    {ATTEMPT_RESPONDED, ATTEMPT_EV_WIN, ATTEMPT_WON, BY_CHECKER},
    {ATTEMPT_RESPONDED, ATTEMPT_EV_LOSE, ATTEMPT_BEATEN, BY_CHECKER | BY_CHAIN},
    {ATTEMPT_RESPONDED, ATTEMPT_EV_REJECT, ATTEMPT_REJECTED, BY_CHECKER},
};

static const struct {
    const char *name;
    bool slot;
    bool penalty;
} states[ATTEMPT_STATE_COUNT] = {
    [ATTEMPT_LIVE] = {"live", true, false},
    [ATTEMPT_RESPONDED] = {"responded", true, false},
    [ATTEMPT_WON] = {"won", false, false},
    [ATTEMPT_BEATEN] = {"beaten", false, false},
    [ATTEMPT_REJECTED] = {"rejected", false, true},
    [ATTEMPT_FAILED] = {"failed", false, true},
    [ATTEMPT_LAPSED] = {"lapsed", false, true},
    [ATTEMPT_RELEASED] = {"released", false, false},
};

static const char *const event_names[ATTEMPT_EVENT_COUNT] = {
    [ATTEMPT_EV_RESPOND] = "respond", [ATTEMPT_EV_WIN] = "win",   [ATTEMPT_EV_LOSE] = "lose",
    [ATTEMPT_EV_REJECT] = "reject",   [ATTEMPT_EV_FAIL] = "fail", [ATTEMPT_EV_LAPSE] = "lapse",
    [ATTEMPT_EV_RELEASE] = "release",
};

bool attempt_holds_slot(enum attempt_state s)
{
    return (unsigned)s < ATTEMPT_STATE_COUNT && states[s].slot;
}

bool attempt_has_penalty(enum attempt_state s)
{
    return (unsigned)s < ATTEMPT_STATE_COUNT && states[s].penalty;
}

const char *attempt_state_name(enum attempt_state s)
{
    return (unsigned)s < ATTEMPT_STATE_COUNT ? states[s].name : "unknown";
}

const char *attempt_event_name(enum attempt_event e)
{
    return (unsigned)e < ATTEMPT_EVENT_COUNT ? event_names[e] : "unknown";
}

const struct attempt_edge *attempt_edges(size_t *n)
{
    *n = ARRAY_LEN(edges);
    return edges;
}
