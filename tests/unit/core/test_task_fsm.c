/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/task_fsm.h"

/* And a closed task has none. */
static void test_edges_name_each_case_once(void **state)
{
    size_t n;
    const struct task_edge *edges = task_edges(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        assert_true(task_is_open(edges[i].from));
        assert_int_not_equal(edges[i].actors, 0);
        for (size_t k = i + 1; k < n; k++)
            assert_false(edges[i].from == edges[k].from && edges[i].event == edges[k].event &&
                         edges[i].rest == edges[k].rest);
    }
}

/* verifying means that something is being checked; running that something is live; queued neither.
 */
static void test_open_targets_agree_with_what_is_left(void **state)
{
    static const enum task_status want[] = {TASK_QUEUED, TASK_RUNNING, TASK_VERIFYING};
    size_t n;
    const struct task_edge *edges = task_edges(&n);

    (void)state;
    for (size_t i = 0; i < n; i++)
        if (task_is_open(edges[i].to))
            assert_int_equal(edges[i].to, want[edges[i].rest]);
        else
            assert_int_equal(edges[i].rest, TASK_REST_NONE);
}

/* From queued every other status can be reached, and every final one ends it. */
static void test_every_status_can_be_reached(void **state)
{
    bool seen[TASK_STATUS_COUNT] = {true};
    size_t n;
    const struct task_edge *edges = task_edges(&n);

    (void)state;
    for (int round = 0; round < TASK_STATUS_COUNT; round++)
        for (size_t i = 0; i < n; i++)
            if (seen[edges[i].from])
                seen[edges[i].to] = true;
    for (int s = 0; s < TASK_STATUS_COUNT; s++)
        assert_true(seen[s]);
}

/* The exit ends whatever is open, whatever else it waits for; nobody but the chain says so. */
static void test_an_exit_cancels_what_is_open(void **state)
{
    bool seen[TASK_STATUS_COUNT] = {false};
    size_t n;
    const struct task_edge *edges = task_edges(&n);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(edges[i].event == TASK_EV_EXIT, edges[i].actors == BY_CHAIN);
        if (edges[i].event != TASK_EV_EXIT)
            continue;
        assert_int_equal(edges[i].to, TASK_CANCELED);
        seen[edges[i].from] = true;
    }
    for (int s = 0; s < TASK_STATUS_COUNT; s++)
        assert_int_equal(seen[s], task_is_open((enum task_status)s));
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < TASK_STATUS_COUNT; i++)
        assert_string_not_equal(task_status_name((enum task_status)i), "unknown");
    assert_string_equal(task_status_name(TASK_STATUS_COUNT), "unknown");
    for (int i = 0; i < TASK_EVENT_COUNT; i++)
        assert_string_not_equal(task_event_name((enum task_event)i), "unknown");
    assert_string_equal(task_event_name(TASK_EVENT_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges_name_each_case_once),
        cmocka_unit_test(test_open_targets_agree_with_what_is_left),
        cmocka_unit_test(test_every_status_can_be_reached),
        cmocka_unit_test(test_an_exit_cancels_what_is_open),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
