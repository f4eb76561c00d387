/* SPDX-License-Identifier: MIT */
/* Completions from many threads, waits and bells, the pool, deadlines of connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"
#include "server/loop.h"
#include "server/pool.h"
#include "server/reaper.h"
#include "server/wait.h"

#define THREADS 4
#define EACH    20000

/* ---- completions ------------------------------------------------------------------------------
 */

struct mark {
    struct completion completion; /* first */
    int thread;
    int number;
};

static struct completion_list shared;
static struct mark marks[THREADS][EACH];

static void *push_all(void *arg)
{
    int t = *(int *)arg;

    for (int i = 0; i < EACH; i++) {
        marks[t][i] = (struct mark){.thread = t, .number = i};
        completion_push(&shared, &marks[t][i].completion);
    }
    return NULL;
}

static void loses_nothing_and_keeps_each_threads_order(void **state)
{
    pthread_t thread[THREADS];
    int id[THREADS];
    int next[THREADS] = {0};
    int total = 0;

    (void)state;
    for (int t = 0; t < THREADS; t++) {
        id[t] = t;
        assert_int_equal(pthread_create(&thread[t], NULL, push_all, &id[t]), 0);
    }
    while (total < THREADS * EACH) {
        for (struct completion *c = completion_take(&shared); c; c = c->next) {
            struct mark *m = (struct mark *)c;

            assert_int_equal(m->number, next[m->thread]);
            next[m->thread]++;
            total++;
        }
    }
    for (int t = 0; t < THREADS; t++)
        pthread_join(thread[t], NULL);
    assert_null(completion_take(&shared));
}

static void tells_when_the_taker_must_be_woken(void **state)
{
    struct completion_list list = {NULL};
    struct completion a;
    struct completion b;

    (void)state;
    assert_true(completion_push(&list, &a));
    assert_false(completion_push(&list, &b));
    assert_ptr_equal(completion_take(&list), &a);
    assert_true(completion_push(&list, &b));
}

/* ---- waits ------------------------------------------------------------------------------------
 */

struct waiter {
    struct wait wait; /* first */
    struct wait_topic node[2];
    int woke;
    enum wait_why why;
};

static void woke(struct wait *w, enum wait_why why)
{
    struct waiter *x = (struct waiter *)w;

    x->woke++;
    x->why = why;
}

static void begin(struct bells *b, struct waiter *w, uint64_t topic, int64_t since, int64_t now,
                  int64_t deadline)
{
    const uint64_t topics[] = {topic, topic + 1};

    w->wait.wake = woke;
    w->wait.deadline_us = deadline;
    w->wait.topics = w->node;
    wait_begin(b, &w->wait, topics, 2, since, now);
}

/* Runs what was posted to the loop, as loop_run() would. */
static void nothing(void *ctx)
{
    (void)ctx;
}

static int64_t no_sleep(void *ctx, int64_t now_us)
{
    (void)ctx;
    (void)now_us;
    return 0;
}

static void stop_at_once(void *ctx, int64_t now_us)
{
    (void)now_us;
    loop_stop(ctx);
}

static int setup(void **state)
{
    struct loop *loop;

    if (loop_new(&loop, NULL) != E_OK)
        return -1;
    *state = loop;
    return 0;
}

static int teardown(void **state)
{
    loop_free(*state);
    return 0;
}

/* One turn of a fresh loop_run(): completions first, then the stop. */
static void turn(struct loop *loop)
{
    int pipes[2];
    struct loop_driver driver = {
        .turn = stop_at_once, .run = nothing, .sleep_us = no_sleep, .ctx = loop};

    assert_int_equal(pipe(pipes), 0);
    driver.fd = pipes[0];
    assert_int_equal(loop_run(loop, &driver, NULL), E_OK);
    close(pipes[0]);
    close(pipes[1]);
}

static void a_bell_wakes_its_waiters_only(void **state)
{
    struct loop *loop = *state;
    struct bells *b = loop_bells(loop);
    struct waiter here = {.woke = 0};
    struct waiter there = {.woke = 0};
    int64_t now = clock_mono_us();

    begin(b, &here, 100, now, now, now + 30000000);
    begin(b, &there, 200, now, now, now + 30000000);
    assert_int_equal(wait_count(b), 2);
    wait_ring(loop, 101);
    turn(loop);
    assert_int_equal(here.woke, 1);
    assert_int_equal(here.why, WAIT_BELL);
    assert_int_equal(there.woke, 0);
    assert_int_equal(wait_count(b), 1);
    wait_end(b, &there.wait);
    wait_end(b, &there.wait);
    assert_int_equal(wait_count(b), 0);
}

static void a_bell_between_look_and_wait_is_not_lost(void **state)
{
    struct bells *b = loop_bells(*state);
    struct waiter w = {.woke = 0};
    int64_t looked = clock_mono_us();
    int64_t now;

    wait_ring(*state, 300); /* nobody waits yet */
    now = clock_mono_us() + 1;
    begin(b, &w, 300, looked, now, now + 30000000);
    wait_turn(b, now);
    assert_int_equal(w.woke, 1);
    begin(b, &w, 300, now, now, now + 30000000); /* looked after the bell: sleeps */
    wait_turn(b, now);
    assert_int_equal(w.woke, 1);
    wait_end(b, &w.wait);
}

static void ticks_within_a_second_and_ends_at_the_deadline(void **state)
{
    struct bells *b = loop_bells(*state);
    struct waiter w = {.woke = 0};
    int64_t now = clock_mono_us();
    int64_t next;

    begin(b, &w, 400, now, now, now + 1500000);
    wait_turn(b, now);
    next = wait_next(b, now);
    assert_true(next >= 800000 && next <= 1000000);
    wait_turn(b, now + next);
    assert_int_equal(w.why, WAIT_TICK);
    begin(b, &w, 400, now, now + next, now + 1500000);
    assert_true(wait_next(b, now + next) <= 1500000 - next);
    wait_turn(b, now + 1500000);
    assert_int_equal(w.why, WAIT_DEADLINE);
    assert_int_equal(w.woke, 2);
    assert_int_equal(wait_next(b, now), -1);
}

static void many_waiters_wake_in_the_order_of_their_time(void **state)
{
    static struct waiter w[500];
    struct bells *b = loop_bells(*state);
    int64_t now = clock_mono_us();

    for (size_t i = 0; i < 500; i++) {
        w[i].woke = 0;
        begin(b, &w[i], 500 + i, now, now, now + 1000 + (int64_t)((i * 7919) % 500) * 1000);
    }
    for (size_t i = 0; i < 500; i += 3)
        wait_end(b, &w[i].wait);
    wait_turn(b, now + 1000 + 250 * 1000);
    for (size_t i = 0; i < 500; i++)
        assert_int_equal(w[i].woke, i % 3 != 0 && (i * 7919) % 500 <= 250);
    wait_all(b);
    for (size_t i = 0; i < 500; i++)
        assert_int_equal(w[i].woke, i % 3 != 0);
    assert_int_equal(wait_count(b), 0);
}

/* ---- the pool ---------------------------------------------------------------------------------
 */

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static atomic_int ran;

static void wait_at_gate(struct pool_job *job)
{
    (void)job;
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    atomic_fetch_add(&ran, 1);
}

static void the_pool_refuses_when_full_and_runs_the_rest(void **state)
{
    struct pool_job job[8];
    struct pool_stats st;
    struct pool *pool = pool_new(1, 2);
    int taken = 0;

    (void)state;
    pthread_mutex_lock(&gate);
    for (size_t i = 0; i < 8; i++) {
        job[i].run = wait_at_gate;
        taken += pool_submit(pool, &job[i]);
    }
    assert_true(taken == 2 || taken == 3); /* the thread may hold one already */
    pool_stats(pool, &st);
    assert_int_equal(st.refused, 8 - taken);
    pthread_mutex_unlock(&gate);
    pool_free(pool);
    assert_int_equal(atomic_load(&ran), taken);
}

/* ---- connections ------------------------------------------------------------------------------
 */

#define S 1000000

static struct reaper make_reaper(void)
{
    return (struct reaper){.limits = {.headers_us = 5 * S,
                                      .request_us = 30 * S,
                                      .idle_us = 75 * S,
                                      .age_us = 300 * S,
                                      .bytes_per_s = 65536,
                                      .connections_max = 8}};
}

static void deadlines_are_absolute(void **state)
{
    struct reaper r = make_reaper();
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct conn *c = reaper_open(&r, fd, 0);

    (void)state;
    reaper_headers(&r, c, 4 * S); /* the first line dripped in: no new five seconds */
    reaper_turn(&r, 5 * S - 1);
    assert_false(c->cut);
    reaper_request(&r, c, 5 * S - 1);
    assert_int_equal(c->deadline_us, 35 * S - 1);
    reaper_extend(&r, c, 40 * S);
    assert_int_equal(c->deadline_us, 70 * S);
    reaper_extend(&r, c, 10 * S);
    assert_int_equal(c->deadline_us, 70 * S);
    reaper_idle(&r, c, 60 * S);
    assert_int_equal(c->deadline_us, 135 * S);
    reaper_headers(&r, c, 100 * S);
    assert_int_equal(c->deadline_us, 105 * S);
    reaper_turn(&r, 105 * S);
    assert_true(c->cut);
    reaper_close(&r, c);
    assert_int_equal(r.connections, 0);
    reaper_free(&r);
    close(fd);
}

static void a_steady_stream_lives_and_a_drip_does_not(void **state)
{
    struct reaper r = make_reaper();
    struct conn *c = reaper_open(&r, -1, 0);

    (void)state;
    reaper_request(&r, c, 0);
    reaper_progress(&r, c, 60 * 65536);
    assert_int_equal(c->deadline_us, 91 * S);
    reaper_progress(&r, c, 60 * 65536 + 10);
    assert_int_equal(c->deadline_us, 91 * S);
    reaper_close(&r, c);
    reaper_free(&r);
}

static void an_old_connection_ends_after_its_request(void **state)
{
    struct reaper r = make_reaper();
    struct conn *c = reaper_open(&r, -1, 0);

    (void)state;
    assert_false(reaper_is_last(&r, c, 200 * S));
    assert_true(reaper_is_last(&r, c, 290 * S));
    reaper_idle(&r, c, 290 * S);
    assert_int_equal(c->deadline_us, 300 * S);
    for (int i = 0; i < 7; i++)
        reaper_open(&r, -1, 290 * S);
    assert_true(reaper_is_last(&r, r.first, 290 * S)); /* eight of eight: crowded */
    reaper_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loses_nothing_and_keeps_each_threads_order),
        cmocka_unit_test(tells_when_the_taker_must_be_woken),
        cmocka_unit_test_setup_teardown(a_bell_wakes_its_waiters_only, setup, teardown),
        cmocka_unit_test_setup_teardown(a_bell_between_look_and_wait_is_not_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(ticks_within_a_second_and_ends_at_the_deadline, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(many_waiters_wake_in_the_order_of_their_time, setup,
                                        teardown),
        cmocka_unit_test(the_pool_refuses_when_full_and_runs_the_rest),
        cmocka_unit_test(deadlines_are_absolute),
        cmocka_unit_test(a_steady_stream_lives_and_a_drip_does_not),
        cmocka_unit_test(an_old_connection_ends_after_its_request),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
