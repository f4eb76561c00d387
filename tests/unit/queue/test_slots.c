/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/id.h"
#include "queue/bell.h"
#include "queue/slots.h"
#include "redis.h"

struct world {
    struct redis *redis;
    struct queue_thread *queue;
};

static atomic_uint_fast64_t rung;

static void on_ring(void *ctx, uint64_t topic)
{
    (void)ctx;
    atomic_store(&rung, topic);
}

static struct uuid task_at(int64_t ms, uint8_t salt)
{
    uint8_t noise[10] = {salt};

    return id_make(ms, noise);
}

static const struct uuid source_a = {{1}};
static const struct uuid source_b = {{2}};

/* One call on the queue's thread, with what it needs and what it brings. */
struct call {
    enum { OPEN, REOPEN, POP, ACK, RETURN, TRIED, DROP, BEGIN, MARK, RING } what;
    struct uuid sources[2];
    size_t n;
    struct uuid task;
    int64_t master;
    int64_t ms;
    uint64_t token;
    int open;
    struct slot slot;
    bool found;
    enum err_code rc;
};

static void work(struct queue *q, void *ctx)
{
    struct call *c = ctx;
    const struct slots_wish wish = {c->sources, c->n, c->master};

    switch (c->what) {
    case OPEN:
        c->rc = slots_open(q, c->sources[0], c->task, c->open, NULL);
        break;
    case REOPEN:
        c->rc = slots_reopen(q, c->sources[0], c->task, NULL);
        break;
    case POP:
        c->rc = slots_pop(q, &wish, &c->slot, &c->found, NULL);
        break;
    case ACK:
        c->rc = slots_ack(q, &c->slot, NULL);
        break;
    case RETURN:
        c->rc = slots_return(q, &c->slot, NULL);
        break;
    case TRIED:
        c->rc = slots_tried(q, c->sources[0], c->task, c->master, c->ms, NULL);
        break;
    case DROP:
        c->rc = slots_drop(q, c->sources[0], c->task, NULL);
        break;
    case BEGIN:
        c->rc = slots_begin(q, c->token, NULL);
        break;
    case MARK:
        c->rc = slots_mark(q, c->token, NULL);
        break;
    case RING:
        queue_ring(q, c->token);
        break;
    }
}

static enum err_code do_call(struct world *w, struct call *c)
{
    queue_do(w->queue, work, c);
    return c->rc;
}

static void open_slots(struct world *w, struct uuid source, struct uuid task, int n)
{
    struct call c = {.what = OPEN, .sources = {source}, .task = task, .open = n};

    assert_int_equal(do_call(w, &c), E_OK);
}

static struct call pop(struct world *w, int64_t master)
{
    struct call c = {.what = POP, .sources = {source_a, source_b}, .n = 2, .master = master};

    assert_int_equal(do_call(w, &c), E_OK);
    return c;
}

static void mark(struct world *w, uint64_t token)
{
    struct call begin = {.what = BEGIN, .token = token};
    struct call end = {.what = MARK, .token = token};

    assert_int_equal(do_call(w, &begin), E_OK);
    assert_int_equal(do_call(w, &end), E_OK);
}

static int setup(void **state)
{
    static struct world w;
    struct queue_config config = {.ring = on_ring};
    struct err err;

    w.redis = redis_start();
    config.url = redis_url(w.redis);
    assert_int_equal(queue_start(&config, &w.queue, &err), E_OK);
    queue_wait(w.queue, true);
    mark(&w, 7);
    *state = &w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    queue_stop(w->queue);
    redis_stop(w->redis);
    return 0;
}

static void test_the_oldest_over_all_sources_comes_first(void **state)
{
    struct world *w = *state;
    struct uuid oldest = task_at(1000, 1);
    struct uuid middle = task_at(2000, 2);
    struct call c;

    open_slots(w, source_a, task_at(3000, 3), 1);
    open_slots(w, source_b, oldest, 1);
    open_slots(w, source_a, middle, 1);
    c = pop(w, 1);
    assert_true(c.found && uuid_eq(c.slot.task, oldest) && uuid_eq(c.slot.source, source_b));
    c = pop(w, 1);
    assert_true(c.found && uuid_eq(c.slot.task, middle));
    c = pop(w, 1);
    assert_true(c.found);
    assert_false(pop(w, 1).found);
}

static void test_a_popped_slot_returns_unless_acknowledged(void **state)
{
    struct world *w = *state;
    struct uuid task = task_at(1000, 1);
    struct call c;
    struct timespec wait = {.tv_sec = 2, .tv_nsec = 100000000};

    open_slots(w, source_a, task, 2);
    c = pop(w, 1);
    c.what = ACK;
    assert_int_equal(do_call(w, &c), E_OK);
    assert_true(pop(w, 1).found);
    assert_false(pop(w, 1).found);
    nanosleep(&wait, NULL);
    c = pop(w, 1);
    assert_true(c.found);
    c.what = RETURN;
    assert_int_equal(do_call(w, &c), E_OK);
    assert_true(pop(w, 1).found);
    assert_false(pop(w, 1).found);
}

static void test_opening_again_adds_only_what_is_missing(void **state)
{
    struct world *w = *state;
    struct uuid task = task_at(1000, 1);
    struct call c = {.what = REOPEN, .sources = {source_a}, .task = task};

    open_slots(w, source_a, task, 3);
    open_slots(w, source_a, task, 3);
    assert_true(pop(w, 1).found);
    open_slots(w, source_a, task, 3); /* the pending one counts */
    assert_true(pop(w, 1).found);
    assert_true(pop(w, 1).found);
    assert_false(pop(w, 1).found);
    assert_int_equal(do_call(w, &c), E_OK);
    assert_true(pop(w, 1).found);
    assert_false(pop(w, 1).found);
}

static void test_an_operator_does_not_see_what_it_tried(void **state)
{
    struct world *w = *state;
    struct uuid task = task_at(1000, 1);
    struct call c = {.what = TRIED, .sources = {source_a}, .task = task, .master = 1, .ms = 600000};

    open_slots(w, source_a, task, 2);
    assert_int_equal(do_call(w, &c), E_OK);
    assert_false(pop(w, 1).found);
    assert_true(pop(w, 2).found);
    c.ms = 0;
    assert_int_equal(do_call(w, &c), E_OK);
    assert_true(pop(w, 1).found);
}

static void test_a_try_is_forgotten_in_time(void **state)
{
    struct world *w = *state;
    struct uuid task = task_at(1000, 1);
    struct call c = {.what = TRIED, .sources = {source_a}, .task = task, .master = 1, .ms = 1};
    char id[ID_TEXT_MAX];

    open_slots(w, source_a, task, 1);
    assert_int_equal(do_call(w, &c), E_OK);
    usleep(5000);
    assert_true(pop(w, 1).found);
    /* what is over is swept out by the next */
    c.task = task_at(1000, 2);
    c.ms = SLOT_TRIED_MS;
    assert_int_equal(do_call(w, &c), E_OK);
    id_format(ID_SOURCE, source_a, id);
    assert_int_equal(redis_do(w->redis, "ZCARD {%s}:tried:1", id), 1);
    assert_in_range(redis_do(w->redis, "PTTL {%s}:tried:1", id), SLOT_TRIED_MS - 60000,
                    SLOT_TRIED_MS);
}

static void test_a_closed_task_has_no_slots(void **state)
{
    struct world *w = *state;
    struct uuid task = task_at(1000, 1);
    struct call c = {.what = DROP, .sources = {source_a}, .task = task};
    struct call popped;

    open_slots(w, source_a, task, 8);
    popped = pop(w, 1);
    assert_int_equal(do_call(w, &c), E_OK);
    popped.what = RETURN; /* too late: a dropped slot stays away */
    assert_int_equal(do_call(w, &popped), E_OK);
    assert_false(pop(w, 1).found);
}

static void test_forged_members_are_thrown_out(void **state)
{
    struct world *w = *state;
    char id[ID_TEXT_MAX];
    struct uuid task = task_at(1000, 1);

    id_format(ID_SOURCE, source_a, id);
    redis_do(w->redis, "ZADD {%s}:slots 1 %s 2 %s 3 %s", id, "x", "zz", "--------");
    redis_do(w->redis, "ZADD {%s}:pending 1 %s", id, "never");
    open_slots(w, source_a, task, 1);
    assert_true(uuid_eq(pop(w, 1).slot.task, task));
    assert_int_equal(redis_do(w->redis, "ZCARD {%s}:slots", id), 0);
}

static void test_a_flushed_book_says_so_until_it_is_filled(void **state)
{
    struct world *w = *state;
    struct call c = {.what = POP, .sources = {source_a}, .n = 1, .master = 1};
    uint64_t before = queue_losses(w->queue);
    struct call begin = {.what = BEGIN, .token = 9};
    struct call end = {.what = MARK, .token = 9};

    redis_do(w->redis, "FLUSHALL");
    sleep(1); /* losses are counted at most twice a second */
    assert_int_equal(do_call(w, &c), E_PEER);
    assert_true(queue_losses(w->queue) > before);
    /* Flushed again in the middle of a resync: the mark must not be set. */
    assert_int_equal(do_call(w, &begin), E_OK);
    redis_do(w->redis, "FLUSHALL");
    assert_int_equal(do_call(w, &end), E_OK);
    assert_int_equal(do_call(w, &c), E_PEER);
    mark(w, 10);
    assert_int_equal(do_call(w, &c), E_OK);
}

static void test_away_answers_at_once_and_comes_back(void **state)
{
    struct world *w = *state;
    struct call c = {.what = POP, .sources = {source_a}, .n = 1, .master = 1};
    struct call ring = {.what = RING, .token = 42};

    redis_kill(w->redis);
    assert_int_equal(do_call(w, &c), E_PEER);
    queue_wait(w->queue, false);
    atomic_store(&rung, 0);
    (void)do_call(w, &ring);
    for (int i = 0; i < 100 && atomic_load(&rung) != 42; i++)
        usleep(10000);
    assert_int_equal(atomic_load(&rung), 42); /* here at least, without Redis */
    redis_again(w->redis);
    queue_wait(w->queue, true);
    mark(w, 11);
    assert_int_equal(do_call(w, &c), E_OK);
}

static atomic_uint_fast64_t heard;

static void on_hear(void *ctx, uint64_t topic)
{
    (void)ctx;
    atomic_store(&heard, topic);
}

static void test_bells_reach_other_gateways(void **state)
{
    struct world *w = *state;
    struct queue_config config = {.url = redis_url(w->redis), .ring = on_hear};
    struct queue_thread *other;
    struct call ring = {.what = RING, .token = 0xfedcba9876543210};
    struct err err;

    assert_int_equal(queue_start(&config, &other, &err), E_OK);
    queue_wait(other, true);
    for (int i = 0; i < 100 && atomic_load(&heard) != ring.token; i++) {
        (void)do_call(w, &ring);
        usleep(20000);
    }
    assert_true(atomic_load(&heard) == ring.token);
    assert_true(atomic_load(&rung) == ring.token);
    queue_stop(other);
}

int main(void)
{
#define ON(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        ON(test_the_oldest_over_all_sources_comes_first),
        ON(test_a_popped_slot_returns_unless_acknowledged),
        ON(test_opening_again_adds_only_what_is_missing),
        ON(test_an_operator_does_not_see_what_it_tried),
        ON(test_a_try_is_forgotten_in_time),
        ON(test_a_closed_task_has_no_slots),
        ON(test_forged_members_are_thrown_out),
        ON(test_a_flushed_book_says_so_until_it_is_filled),
        ON(test_away_answers_at_once_and_comes_back),
        ON(test_bells_reach_other_gateways),
    };

    signal(SIGPIPE, SIG_IGN); /* as the gateway does; hiredis writes to what is gone */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
