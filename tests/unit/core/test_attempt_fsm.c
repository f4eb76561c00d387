/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/attempt_fsm.h"

static const enum task_actor actors[] = {BY_CLIENT, BY_PROVIDER, BY_CHECKER, BY_KEEPER, BY_CHAIN};

/* 8 states × 7 events × 5 actors; a refusal must leave the output alone. */
static void test_every_combination_is_decided(void **state)
{
    int allowed = 0;

    (void)state;
    for (int s = 0; s < ATTEMPT_STATE_COUNT; s++)
        for (int e = 0; e < ATTEMPT_EVENT_COUNT; e++)
            for (size_t a = 0; a < ARRAY_LEN(actors); a++) {
                enum attempt_state to = ATTEMPT_STATE_COUNT;
                struct err err;
                enum err_code rc = attempt_next((enum attempt_state)s, (enum attempt_event)e,
                                                actors[a], &to, &err);

                if (rc == E_OK) {
                    allowed++;
                    assert_true(attempt_holds_slot((enum attempt_state)s));
                    assert_int_not_equal(to, s);
                } else {
                    assert_int_equal(to, ATTEMPT_STATE_COUNT);
                    assert_int_equal(err.code, rc);
                }
                if (!attempt_holds_slot((enum attempt_state)s))
                    assert_int_equal(rc, E_LEASE_LOST);
            }
    assert_int_equal(allowed, 11); /* 8 edges, one open to two actors, one to three */
}

static void test_ends_and_penalties(void **state)
{
    static const struct {
        enum attempt_state s;
        bool slot;
        bool penalty;
    } rows[] = {
        {ATTEMPT_LIVE, true, false},     {ATTEMPT_RESPONDED, true, false},
        {ATTEMPT_WON, false, false},     {ATTEMPT_BEATEN, false, false},
        {ATTEMPT_REJECTED, false, true}, {ATTEMPT_FAILED, false, true},
        {ATTEMPT_LAPSED, false, true},   {ATTEMPT_RELEASED, false, false},
    };

    (void)state;
    assert_int_equal(ARRAY_LEN(rows), ATTEMPT_STATE_COUNT);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(attempt_holds_slot(rows[i].s), rows[i].slot);
        assert_int_equal(attempt_has_penalty(rows[i].s), rows[i].penalty);
    }
}

static void test_every_state_can_be_reached(void **state)
{
    bool seen[ATTEMPT_STATE_COUNT] = {true};
    size_t n;
    const struct attempt_edge *edges = attempt_edges(&n);

    (void)state;
    for (int round = 0; round < ATTEMPT_STATE_COUNT; round++)
        for (size_t i = 0; i < n; i++)
            if (seen[edges[i].from])
                seen[edges[i].to] = true;
    for (int s = 0; s < ATTEMPT_STATE_COUNT; s++)
        assert_true(seen[s]);
}

static void test_refusals_say_what_the_api_says(void **state)
{
    enum attempt_state to;

    (void)state;
    assert_int_equal(attempt_next(ATTEMPT_RESPONDED, ATTEMPT_EV_RESPOND, BY_PROVIDER, &to, NULL),
                     E_ALREADY_RESPONDED);
    assert_int_equal(attempt_next(ATTEMPT_LAPSED, ATTEMPT_EV_RESPOND, BY_PROVIDER, &to, NULL),
                     E_LEASE_LOST);
    assert_int_equal(attempt_next(ATTEMPT_LIVE, ATTEMPT_EV_FAIL, BY_KEEPER, &to, NULL),
                     E_SCOPE_DENIED);
    /* a responded attempt's lease no longer counts */
    assert_int_equal(attempt_next(ATTEMPT_RESPONDED, ATTEMPT_EV_LAPSE, BY_KEEPER, &to, NULL),
                     E_INTERNAL);
}

static void test_names_read_back(void **state)
{
    enum attempt_state s = ATTEMPT_STATE_COUNT;

    (void)state;
    for (int i = 0; i < ATTEMPT_STATE_COUNT; i++) {
        assert_true(attempt_state_parse(text_of(attempt_state_name((enum attempt_state)i)), &s));
        assert_int_equal(s, i);
    }
    assert_false(attempt_state_parse(text_of("LIVE"), &s));
    for (int i = 0; i < ATTEMPT_EVENT_COUNT; i++)
        assert_string_not_equal(attempt_event_name((enum attempt_event)i), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_combination_is_decided),
        cmocka_unit_test(test_ends_and_penalties),
        cmocka_unit_test(test_every_state_can_be_reached),
        cmocka_unit_test(test_refusals_say_what_the_api_says),
        cmocka_unit_test(test_names_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
