/* SPDX-License-Identifier: MIT */
/* The lanes on a healthy PostgreSQL: batching, shares, types, isolation of bad calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "db/conn.h"
#include "harness.h"
#include "lib/clock.h"

static struct db_lanes *lanes;
static PGconn *side;

static int open_all(void **state)
{
    (void)state;
    lanes = lanes_on(server_url());
    side = bystander();
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    db_lanes_close(lanes);
    PQfinish(side);
    return 0;
}

static struct db_lane_stats stats_of(enum sql_class class)
{
    struct db_lane_stats s;

    db_lanes_stats(lanes, class, &s);
    return s;
}

/* One put held up by a row lock, so that what is submitted meanwhile has to queue. */
static struct flight *block_lane(void)
{
    struct flight *first = puts_new(1);

    ask(side, "BEGIN");
    ask(side, "SELECT n FROM total WHERE who = 1 FOR UPDATE");
    flight_start(lanes, first);
    usleep(50000);
    return first;
}

static void unblock_lane(struct flight *first)
{
    ask(side, "COMMIT");
    flight_wait(first);
    assert_int_equal(first->calls[0].err.code, E_OK);
    flight_free(first);
}

static size_t transactions(const struct flight *f)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n; i++) {
        const struct sql_put_row *row = f->calls[i].rows;
        bool seen = false;

        for (size_t k = 0; k < i; k++) {
            seen |= ((const struct sql_put_row *)f->calls[k].rows)->tx == row->tx;
        }
        n += !seen;
    }
    return n;
}

static void many_calls_one_commit(void **state)
{
    struct flight *first = block_lane();
    struct flight *f = puts_new(200);

    (void)state;
    flight_start(lanes, f);
    unblock_lane(first);
    flight_wait(f);
    assert_int_equal(flight_count(f, E_OK), 200);
    for (size_t i = 0; i < f->n; i++) {
        assert_string_equal(put_outcome(f, i), "ok");
    }
    assert_int_equal(transactions(f), 1);
    assert_int_equal(items_present(side, f), 200);
    flight_free(f);
}

static void a_batch_is_bounded(void **state)
{
    struct flight *first = block_lane();
    struct flight *f = puts_new(600);

    (void)state;
    flight_start(lanes, f);
    unblock_lane(first);
    flight_wait(f);
    assert_int_equal(flight_count(f, E_OK), 600);
    assert_int_equal(transactions(f), 3);
    flight_free(f);
}

static void equal_conflicts_never_share_a_batch(void **state)
{
    struct flight *first = block_lane();
    struct flight *f = puts_new(40);

    (void)state;
    for (size_t i = 0; i < f->n; i++) {
        f->calls[i].conflict = 1 + i % 10;
    }
    flight_start(lanes, f);
    unblock_lane(first);
    flight_wait(f);
    assert_int_equal(transactions(f), 4);
    for (size_t i = 0; i < f->n; i++) {
        const struct sql_put_row *a = f->calls[i].rows;

        for (size_t k = i + 1; k < f->n; k++) {
            const struct sql_put_row *b = f->calls[k].rows;

            assert_true(a->tx != b->tx || f->calls[i].conflict != f->calls[k].conflict);
        }
    }
    flight_free(f);
}

static void the_same_id_twice_has_one_effect(void **state)
{
    struct flight *f = puts_new(2);
    struct sql_put *one = flight_in(f, 0);
    struct sql_put *two = flight_in(f, 1);

    (void)state;
    two->id = one->id;
    f->calls[0].conflict = f->calls[1].conflict = 77;
    flight_run(lanes, f);
    assert_string_equal(put_outcome(f, 0), "ok");
    assert_string_equal(put_outcome(f, 1), "replay");
    flight_free(f);
}

/* One account floods the queue; another's few calls still get into the first batch. */
static void a_flood_leaves_room_for_others(void **state)
{
    struct flight *first = block_lane();
    struct flight *flood = puts_new(1000);
    struct flight *few = puts_new(5);

    (void)state;
    for (size_t i = 0; i < flood->n; i++) {
        flood->calls[i].fair = 1;
    }
    for (size_t i = 0; i < few->n; i++) {
        few->calls[i].fair = 2;
    }
    flight_start(lanes, flood);
    flight_start(lanes, few);
    unblock_lane(first);
    flight_wait(few);
    flight_wait(flood);
    assert_int_equal(((const struct sql_put_row *)few->calls[4].rows)->tx,
                     ((const struct sql_put_row *)flood->calls[0].rows)->tx);
    flight_free(flood);
    flight_free(few);
}

static void poison_fails_alone(void **state)
{
    struct flight *first = block_lane();
    struct flight *f = puts_new(100);
    uint64_t isolated = stats_of(SQL_CLASS_WRITE).isolated;

    (void)state;
    ((struct sql_put *)flight_in(f, 37))->note = text_of("poison");
    flight_start(lanes, f);
    unblock_lane(first);
    flight_wait(f);
    assert_int_equal(flight_count(f, E_OK), 99);
    assert_int_equal(f->calls[37].err.code, E_INTERNAL);
    assert_null(f->calls[37].rows);
    assert_int_equal(items_present(side, f), 99);
    assert_int_equal(stats_of(SQL_CLASS_WRITE).isolated, isolated + 1);
    flight_free(f);
}

static void a_missing_value_never_reaches_the_database(void **state)
{
    struct flight *f = puts_new(3);
    uint64_t batches;

    (void)state;
    ((struct sql_put *)flight_in(f, 1))->id = (struct uuid){{0}};
    batches = stats_of(SQL_CLASS_WRITE).batches;
    flight_run(lanes, f);
    assert_int_equal(f->calls[1].err.code, E_INTERNAL);
    assert_int_equal(flight_count(f, E_OK), 2);
    assert_true(stats_of(SQL_CLASS_WRITE).batches <= batches + 2);
    flight_free(f);
}

static void a_call_without_a_row_is_our_bug(void **state)
{
    struct flight *f = flight_new(SQL_FORGETFUL, 10);

    (void)state;
    for (size_t i = 0; i < f->n; i++) {
        ((struct sql_forgetful *)flight_in(f, i))->n = (int32_t)i;
    }
    flight_run(lanes, f);
    for (size_t i = 0; i < f->n; i++) {
        const struct sql_forgetful_row *rows = f->calls[i].rows;

        if (i % 2 == 0) {
            assert_int_equal(f->calls[i].n_rows, 2);
            assert_int_equal(rows[0].twin + 10 * rows[1].twin, 21);
        } else {
            assert_int_equal(f->calls[i].err.code, E_INTERNAL);
        }
    }
    flight_free(f);
}

static void serialization_failures_are_repeated(void **state)
{
    struct flight *f = puts_new(20);
    uint64_t retries = stats_of(SQL_CLASS_WRITE).retries;

    (void)state;
    ask(side, "SELECT setval('hiccup', 1, false)");
    ((struct sql_put *)flight_in(f, 3))->note = text_of("hiccup");
    flight_run(lanes, f);
    assert_int_equal(flight_count(f, E_OK), 20);
    assert_true(stats_of(SQL_CLASS_WRITE).retries >= retries + 3);
    flight_free(f);
}

static void repeated_for_ever_becomes_busy(void **state)
{
    struct flight *f = puts_new(1);

    (void)state;
    ((struct sql_put *)flight_in(f, 0))->note = text_of("deadlock");
    flight_run(lanes, f);
    assert_int_equal(f->calls[0].err.code, E_BUSY);
    assert_int_equal(items_present(side, f), 0);
    flight_free(f);
}

/* A row that appeared meanwhile is seen by the second try; a real violation is our bug. */
static void a_unique_violation_is_tried_twice(void **state)
{
    struct flight *f = puts_new(20);

    (void)state;
    ask(side, "SELECT setval('hiccup', 1, false)");
    ((struct sql_put *)flight_in(f, 3))->note = text_of("twin");
    flight_run(lanes, f);
    assert_int_equal(flight_count(f, E_OK), 20);
    flight_free(f);
    f = puts_new(20);
    ((struct sql_put *)flight_in(f, 9))->note = text_of("twins");
    flight_run(lanes, f);
    assert_int_equal(flight_count(f, E_OK), 19);
    assert_int_equal(f->calls[9].err.code, E_INTERNAL);
    flight_free(f);
}

static void a_full_disk_is_busy_not_a_bug(void **state)
{
    struct flight *f = puts_new(1);

    (void)state;
    ((struct sql_put *)flight_in(f, 0))->note = text_of("full");
    flight_run(lanes, f);
    assert_int_equal(f->calls[0].err.code, E_BUSY);
    flight_free(f);
}

static void a_lock_holder_does_not_hold_up_for_long(void **state)
{
    int64_t began = clock_mono_us();
    struct flight *f = puts_new(10);

    (void)state;
    ask(side, "BEGIN");
    ask(side, "SELECT n FROM total WHERE who = 5 FOR UPDATE");
    flight_run(lanes, f);
    /* A lane may have begun with the first calls before the rest were queued: those pass. */
    size_t busy = flight_count(f, E_BUSY);
    assert_int_equal(f->calls[4].err.code, E_BUSY); /* the one of the locked row */
    assert_int_equal(flight_count(f, E_OK), 10 - busy);
    assert_true(clock_mono_us() - began < 10000000);
    ask(side, "ROLLBACK");
    assert_int_equal(items_present(side, f), 10 - busy);
    flight_run(lanes, f);
    assert_int_equal(flight_count(f, E_OK), 10);
    flight_free(f);
}

static void a_statement_without_parameters_runs_alone(void **state)
{
    struct flight *f = flight_new(SQL_COUNT_ALL, 5);

    (void)state;
    flight_run(lanes, f);
    assert_int_equal(flight_count(f, E_OK), 5);
    flight_free(f);
}

static void a_full_queue_refuses(void **state)
{
    struct db_lanes_config config = {
        .url = server_url(), .write_lanes = 1, .read_lanes = 1, .slow_lanes = 1, .queue_max = 10};
    struct db_lanes *small;
    struct err err;
    struct flight *f = flight_new(SQL_PUT_SLOWLY, 30);

    (void)state;
    for (size_t i = 0; i < f->n; i++) {
        *(struct sql_put_slowly *)flight_in(f, i) = (struct sql_put_slowly){random_uuid(), 0};
    }
    ((struct sql_put_slowly *)flight_in(f, 0))->seconds = 1;
    assert_int_equal(db_lanes_open(&config, &small, &err), E_OK);
    flight_run(small, f);
    assert_int_equal(flight_count(f, E_BUSY), 20);
    assert_int_equal(flight_count(f, E_OK), 10);
    db_lanes_close(small);
    flight_free(f);
}

static void closing_finishes_what_is_queued(void **state)
{
    struct db_lanes *own = lanes_on(server_url());
    struct flight *f = puts_new(2000);

    (void)state;
    flight_start(own, f);
    db_lanes_close(own);
    assert_int_equal(f->pending, 0);
    assert_int_equal(flight_count(f, E_OK), 2000);
    assert_int_equal(items_present(side, f), 2000);
    flight_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_calls_one_commit),
        cmocka_unit_test(a_batch_is_bounded),
        cmocka_unit_test(equal_conflicts_never_share_a_batch),
        cmocka_unit_test(the_same_id_twice_has_one_effect),
        cmocka_unit_test(a_flood_leaves_room_for_others),
        cmocka_unit_test(poison_fails_alone),
        cmocka_unit_test(a_missing_value_never_reaches_the_database),
        cmocka_unit_test(a_call_without_a_row_is_our_bug),
        cmocka_unit_test(serialization_failures_are_repeated),
        cmocka_unit_test(repeated_for_ever_becomes_busy),
        cmocka_unit_test(a_unique_violation_is_tried_twice),
        cmocka_unit_test(a_full_disk_is_busy_not_a_bug),
        cmocka_unit_test(a_lock_holder_does_not_hold_up_for_long),
        cmocka_unit_test(a_statement_without_parameters_runs_alone),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(closing_finishes_what_is_queued),
    };

    return cmocka_run_group_tests_name("engine", tests, open_all, close_all);
}
