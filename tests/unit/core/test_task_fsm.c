/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/task_fsm.h"

static const enum task_actor actors[] = {BY_CLIENT, BY_PROVIDER, BY_CHECKER, BY_KEEPER, BY_CHAIN};

/* 7 statuses × 10 events × 3 rests × 5 actors; a refusal must leave the output alone. */
static void test_every_combination_is_decided(void **state)
{
    int allowed = 0;

    (void)state;
    for (int s = 0; s < TASK_STATUS_COUNT; s++)
        for (int e = 0; e < TASK_EVENT_COUNT; e++)
            for (int r = 0; r < TASK_REST_COUNT; r++)
                for (size_t a = 0; a < ARRAY_LEN(actors); a++) {
                    enum task_status to = TASK_STATUS_COUNT;
                    struct err err;
                    enum err_code rc = task_next((enum task_status)s, (enum task_event)e,
                                                 (enum task_rest)r, actors[a], &to, &err);

                    if (rc == E_OK) {
                        allowed++;
                        assert_in_range(to, 0, TASK_STATUS_COUNT - 1);
                        assert_true(task_is_open((enum task_status)s));
                    } else {
                        assert_int_equal(to, TASK_STATUS_COUNT);
                        assert_int_equal(err.code, rc);
                    }
                    if (!task_is_open((enum task_status)s))
                        assert_int_equal(rc, E_TASK_CLOSED);
                }
    assert_int_equal(allowed, 25); /* 21 edges, four of them open to two actors */
}

static void test_edges_name_each_case_once(void **state)
{
    size_t n;
    const struct task_edge *edges = task_edges(&n);

    (void)state;
    for (size_t i = 0; i < n; i++)
        for (size_t k = i + 1; k < n; k++)
            assert_false(edges[i].from == edges[k].from && edges[i].event == edges[k].event &&
                         edges[i].rest == edges[k].rest);
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

static void test_refusals_say_what_the_api_says(void **state)
{
    enum task_status to;

    (void)state;
    assert_int_equal(task_next(TASK_RUNNING, TASK_EV_CANCEL, TASK_REST_LIVE, BY_CLIENT, &to, NULL),
                     E_TASK_RUNNING);
    assert_int_equal(
        task_next(TASK_VERIFYING, TASK_EV_CANCEL, TASK_REST_NONE, BY_CLIENT, &to, NULL),
        E_TASK_RUNNING);
    assert_int_equal(
        task_next(TASK_SUCCEEDED, TASK_EV_CANCEL, TASK_REST_NONE, BY_CLIENT, &to, NULL),
        E_TASK_CLOSED);
    assert_int_equal(task_next(TASK_QUEUED, TASK_EV_CANCEL, TASK_REST_NONE, BY_PROVIDER, &to, NULL),
                     E_SCOPE_DENIED);
    assert_int_equal(task_next(TASK_QUEUED, TASK_EV_ACCEPT, TASK_REST_NONE, BY_CHECKER, &to, NULL),
                     E_INTERNAL);
}

/* The exit ends whatever is open, whatever else it waits for; nobody but the chain says so. */
static void test_an_exit_cancels_what_is_open(void **state)
{
    (void)state;
    for (int s = 0; s < TASK_STATUS_COUNT; s++) {
        enum task_status to = TASK_STATUS_COUNT;
        enum err_code rc =
            task_next((enum task_status)s, TASK_EV_EXIT, TASK_REST_NONE, BY_CHAIN, &to, NULL);

        assert_int_equal(rc, task_is_open((enum task_status)s) ? E_OK : E_TASK_CLOSED);
        if (rc == E_OK)
            assert_int_equal(to, TASK_CANCELED);
    }
    for (size_t a = 0; a < ARRAY_LEN(actors); a++) {
        enum task_status to;

        if (actors[a] != BY_CHAIN)
            assert_int_equal(
                task_next(TASK_QUEUED, TASK_EV_EXIT, TASK_REST_NONE, actors[a], &to, NULL),
                E_SCOPE_DENIED);
    }
}

static void test_names_read_back(void **state)
{
    enum task_status s = TASK_STATUS_COUNT;

    (void)state;
    for (int i = 0; i < TASK_STATUS_COUNT; i++) {
        assert_true(task_status_parse(text_of(task_status_name((enum task_status)i)), &s));
        assert_int_equal(s, i);
    }
    s = TASK_QUEUED;
    assert_false(task_status_parse(text_of("Queued"), &s));
    assert_false(task_status_parse(text_of("queue"), &s));
    assert_false(task_status_parse((struct text){NULL, 0}, &s));
    assert_int_equal(s, TASK_QUEUED);
    assert_string_equal(task_status_name(TASK_STATUS_COUNT), "unknown");
    for (int i = 0; i < TASK_EVENT_COUNT; i++)
        assert_string_not_equal(task_event_name((enum task_event)i), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_combination_is_decided),
        cmocka_unit_test(test_edges_name_each_case_once),
        cmocka_unit_test(test_open_targets_agree_with_what_is_left),
        cmocka_unit_test(test_every_status_can_be_reached),
        cmocka_unit_test(test_refusals_say_what_the_api_says),
        cmocka_unit_test(test_an_exit_cancels_what_is_open),
        cmocka_unit_test(test_names_read_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
