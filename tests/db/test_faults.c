/* SPDX-License-Identifier: MIT */
/* The lanes behind a proxy that cuts, hangs and refuses: every call has exactly one effect. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support/fault_proxy.h"
#include "db/conn.h"
#include "harness.h"
#include "lib/clock.h"

/* F20 asks for a thousand calls whose answer is lost. */
#define LOST_COMMITS 340

static struct fault_proxy *proxy;
static struct db_lanes *lanes;
static PGconn *side;

static int open_all(void **state)
{
    char host[128];
    int port;

    (void)state;
    server_address(host, sizeof(host), &port);
    proxy = fault_proxy_open(host, port);
    assert_non_null(proxy);
    lanes = lanes_on(url_through(fault_proxy_port(proxy)));
    side = bystander();
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    db_lanes_close(lanes);
    fault_proxy_close(proxy);
    PQfinish(side);
    return 0;
}

static int heal(void **state)
{
    struct flight *f = puts_new(1);

    (void)state;
    fault_proxy_delay(proxy, 0);
    fault_proxy_set(proxy, FAULT_NONE, 0);
    for (int i = 0; i < 100 && !db_lanes_healthy(lanes); i++) {
        usleep(50000);
    }
    flight_run(lanes, f);
    assert_int_equal(f->calls[0].err.code, E_OK);
    flight_free(f);
    return 0;
}

static uint64_t lost_commits(void)
{
    struct db_lane_stats s;

    db_lanes_stats(lanes, SQL_CLASS_WRITE, &s);
    return s.lost_commits;
}

static long long sum_of_totals(void)
{
    return ask(side, "SELECT sum(n) FROM total");
}

static void a_lost_commit_has_one_effect(void **state)
{
    uint64_t before = lost_commits();
    long long sum = sum_of_totals();
    size_t replays = 0;

    (void)state;
    for (int i = 0; i < LOST_COMMITS; i++) {
        struct flight *f = puts_new(3);

        fault_proxy_set(proxy, FAULT_CUT_AFTER_COMMIT, 1);
        flight_run(lanes, f);
        assert_int_equal(flight_count(f, E_OK), 3);
        replays += strcmp(put_outcome(f, 0), "replay") == 0;
        flight_free(f);
    }
    assert_int_equal(lost_commits() - before, LOST_COMMITS);
    assert_int_equal(sum_of_totals() - sum, 3 * LOST_COMMITS);
    /* Nearly always the server had committed; the statement then said so. */
    assert_true(replays > LOST_COMMITS / 2);
}

static void cut_before_commit_is_repeated(void **state)
{
    long long sum = sum_of_totals();

    (void)state;
    for (int i = 0; i < 50; i++) {
        struct flight *f = puts_new(20);

        fault_proxy_set(proxy, FAULT_CUT_BEFORE_COMMIT, 1 + i % 3);
        flight_run(lanes, f);
        assert_int_equal(flight_count(f, E_OK), 20);
        assert_string_equal(put_outcome(f, 0), "ok");
        flight_free(f);
    }
    assert_int_equal(sum_of_totals() - sum, 50 * 20);
}

static void random_cuts_lose_and_double_nothing(void **state)
{
    long long sum = sum_of_totals();
    struct flight *f[20];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(f); i++) {
        f[i] = puts_new(100);
        flight_start(lanes, f[i]);
        usleep(7000);
        fault_proxy_cut(proxy);
    }
    for (size_t i = 0; i < ARRAY_LEN(f); i++) {
        flight_wait(f[i]);
        for (size_t k = 0; k < f[i]->n; k++) {
            if (f[i]->calls[k].err.code) {
                fail_msg("flight %zu, call %zu: %s", i, k, f[i]->calls[k].err.text);
            }
        }
        flight_free(f[i]);
    }
    assert_int_equal(sum_of_totals() - sum, 20 * 100);
}

static void a_blocking_call_survives_a_lost_commit(void **state)
{
    struct arena *a = arena_new();
    struct db_conn *conn = NULL;
    struct err err = {.code = E_OK};
    long long sum = sum_of_totals();

    (void)state;
    assert_int_equal(db_conn_open(url_through(fault_proxy_port(proxy)), &conn, &err), E_OK);
    for (int i = 0; i < 20; i++) {
        struct sql_put in = {.id = random_uuid(), .who = 3};
        const void *rows;
        size_t n;

        fault_proxy_set(proxy, FAULT_CUT_AFTER_COMMIT, 1);
        assert_int_equal(db_run(conn, SQL_PUT, &in, 1, a, &rows, &n, &err), E_OK);
        assert_int_equal(n, 1);
    }
    assert_int_equal(sum_of_totals() - sum, 20);
    db_conn_close(conn);
    arena_free(a);
}

static void slow_networks_are_not_faults(void **state)
{
    struct flight *f = puts_new(100);

    (void)state;
    fault_proxy_delay(proxy, 50);
    flight_run(lanes, f);
    assert_int_equal(flight_count(f, E_OK), 100);
    flight_free(f);
}

/* F17: the network swallows everything. Reads fail in bounded time, writes of unknown fate later.
 */
static void a_hanging_server_blocks_nobody_for_ever(void **state)
{
    struct flight *reads = flight_new(SQL_WHO_AM_I, 5);
    struct flight *writes = puts_new(5);
    int64_t began = clock_mono_us();

    (void)state;
    fault_proxy_set(proxy, FAULT_HANG, 0);
    flight_start(lanes, writes);
    flight_run(lanes, reads);
    assert_int_equal(flight_count(reads, E_DB_DOWN), 5);
    assert_true(clock_mono_us() - began < 9000000);
    assert_false(db_lanes_healthy(lanes));
    flight_wait(writes);
    assert_int_equal(flight_count(writes, E_DB_DOWN), 5);
    assert_true(clock_mono_us() - began < 20000000);
    flight_free(reads);
    flight_free(writes);
}

/* F15: away. Calls wait for a while, then the breaker answers new ones almost at once. */
static void a_server_that_is_away_is_said_quickly(void **state)
{
    struct flight *patient = puts_new(10);
    struct flight *next = puts_new(10);
    int64_t began;

    (void)state;
    fault_proxy_set(proxy, FAULT_REFUSE, 0);
    usleep(200000);
    began = clock_mono_us();
    flight_run(lanes, patient);
    assert_int_equal(flight_count(patient, E_DB_DOWN), 10);
    assert_true(clock_mono_us() - began < 10000000);
    usleep(300000);
    began = clock_mono_us();
    flight_run(lanes, next);
    assert_int_equal(flight_count(next, E_DB_DOWN), 10);
    assert_true(clock_mono_us() - began < 3000000);
    assert_int_equal(items_present(side, patient) + items_present(side, next), 0);
    flight_free(patient);
    flight_free(next);
}

static void a_short_absence_is_waited_out(void **state)
{
    struct flight *f = puts_new(300);

    (void)state;
    fault_proxy_set(proxy, FAULT_REFUSE, 0);
    usleep(100000);
    flight_start(lanes, f);
    usleep(900000);
    fault_proxy_set(proxy, FAULT_NONE, 0);
    flight_wait(f);
    assert_int_equal(flight_count(f, E_OK), 300);
    assert_int_equal(items_present(side, f), 300);
    flight_free(f);
}

static void killed_sessions_come_back(void **state)
{
    struct flight *f = puts_new(1000);

    (void)state;
    flight_start(lanes, f);
    for (int i = 0; i < 10; i++) {
        ask(side, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                  " WHERE application_name LIKE 'ogpu %'");
        usleep(5000);
    }
    flight_wait(f);
    assert_int_equal(flight_count(f, E_OK), 1000);
    assert_int_equal(items_present(side, f), 1000);
    flight_free(f);
}

/* F18: after a failover the old primary may still answer, but only reads. */
static void a_read_only_server_is_not_used(void **state)
{
    struct flight *f = puts_new(5);

    (void)state;
    ask(side, "ALTER ROLE CURRENT_USER SET default_transaction_read_only = on");
    fault_proxy_cut(proxy);
    flight_run(lanes, f);
    ask(side, "ALTER ROLE CURRENT_USER RESET default_transaction_read_only");
    assert_int_equal(flight_count(f, E_DB_DOWN), 5);
    assert_int_equal(items_present(side, f), 0);
    flight_free(f);
}

/* F21: no connection is left for us. */
static void a_crowded_server_is_down_for_us(void **state)
{
    PGconn *crowd[300];
    size_t n = 0;
    struct flight *f = puts_new(5);

    (void)state;
    fault_proxy_set(proxy, FAULT_REFUSE, 0);
    /* A place that one of ours leaves later would be found by the call. */
    while (ask(side, "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'ogpu %'") >
           0)
        usleep(20000);
    while (n < ARRAY_LEN(crowd)) {
        crowd[n] = PQconnectdb(server_url());
        if (PQstatus(crowd[n++]) != CONNECTION_OK) {
            break;
        }
    }
    assert_true(n < ARRAY_LEN(crowd));
    fault_proxy_set(proxy, FAULT_NONE, 0);
    flight_run(lanes, f);
    assert_int_equal(flight_count(f, E_DB_DOWN), 5);
    while (n > 0) {
        PQfinish(crowd[--n]);
    }
    flight_free(f);
}

static void closing_while_away_ends(void **state)
{
    struct db_lanes *own = lanes_on(url_through(fault_proxy_port(proxy)));
    struct flight *f = puts_new(100);
    int64_t began = clock_mono_us();

    (void)state;
    fault_proxy_set(proxy, FAULT_REFUSE, 0);
    usleep(100000);
    flight_start(own, f);
    db_lanes_close(own);
    assert_int_equal(f->pending, 0);
    assert_int_equal(flight_count(f, E_DB_DOWN), 100);
    assert_true(clock_mono_us() - began < 8000000);
    flight_free(f);
}

#define HEALED(test) cmocka_unit_test_teardown(test, heal)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        HEALED(a_lost_commit_has_one_effect),
        HEALED(cut_before_commit_is_repeated),
        HEALED(random_cuts_lose_and_double_nothing),
        HEALED(a_blocking_call_survives_a_lost_commit),
        HEALED(slow_networks_are_not_faults),
        HEALED(a_hanging_server_blocks_nobody_for_ever),
        HEALED(a_server_that_is_away_is_said_quickly),
        HEALED(a_short_absence_is_waited_out),
        HEALED(killed_sessions_come_back),
        HEALED(a_read_only_server_is_not_used),
        HEALED(a_crowded_server_is_down_for_us),
        HEALED(closing_while_away_ends),
    };

    /* A pattern as the only argument picks tests. */
    if (argc > 1) {
        cmocka_set_test_filter(argv[1]);
    }
    return cmocka_run_group_tests_name("faults", tests, open_all, close_all);
}
