/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/attempt_fsm.h"

/* What has ended has no edge, nothing leads to where it is, and no event leads to two places. */
static void test_edges_name_each_case_once(void **state)
{
    size_t n;
    const struct attempt_edge *edges = attempt_edges(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        assert_true(attempt_holds_slot(edges[i].from));
        assert_int_not_equal(edges[i].to, edges[i].from);
        assert_int_not_equal(edges[i].actors, 0);
        for (size_t k = i + 1; k < n; k++)
            assert_false(edges[i].from == edges[k].from && edges[i].event == edges[k].event);
    }
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

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < ATTEMPT_STATE_COUNT; i++)
        assert_string_not_equal(attempt_state_name((enum attempt_state)i), "unknown");
    assert_string_equal(attempt_state_name(ATTEMPT_STATE_COUNT), "unknown");
    for (int i = 0; i < ATTEMPT_EVENT_COUNT; i++)
        assert_string_not_equal(attempt_event_name((enum attempt_event)i), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges_name_each_case_once),
        cmocka_unit_test(test_ends_and_penalties),
        cmocka_unit_test(test_every_state_can_be_reached),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
