/* SPDX-License-Identifier: MIT */
/* Picking batches from random queues; no database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "db/batch.h"
#include "db/encode.h"
#include "db/exec.h"
#include "harness.h"

#define CALLS  3000
#define ROUNDS 40

static uint64_t seed = 1;

static uint32_t next_random(uint32_t below)
{
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(seed >> 33) % below;
}

struct fixture {
    struct db_call calls[CALLS];
    struct sql_put put;
    struct sql_forgetful forgetful;
    struct call_queue queue;
    struct picker picker;
};

static void fill(struct fixture *x, uint32_t accounts, uint32_t conflicts)
{
    for (size_t i = 0; i < CALLS; i++) {
        bool put = next_random(4) > 0;

        x->calls[i] = (struct db_call){.stmt = put ? SQL_PUT : SQL_FORGETFUL,
                                       .fair = next_random(accounts),
                                       .conflict = next_random(conflicts),
                                       .since_us = (int64_t)i};
        x->calls[i].in = put ? (const void *)&x->put : &x->forgetful;
        queue_push(&x->queue, &x->calls[i]);
    }
}

/* One statement, no conflict twice, the oldest call among them, each account's calls in order. */
static void check_batch(struct db_call **batch, size_t n, const struct db_call *oldest)
{
    bool has_oldest = false;

    assert_true(n >= 1 && n <= LANE_BATCH_MAX);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(batch[i]->stmt, batch[0]->stmt);
        has_oldest |= batch[i] == oldest;
        for (size_t k = 0; k < i; k++) {
            assert_true(batch[i]->conflict == 0 || batch[i]->conflict != batch[k]->conflict);
            assert_true(batch[i]->fair != batch[k]->fair ||
                        batch[i]->since_us > batch[k]->since_us || n == LANE_BATCH_MAX);
        }
    }
    assert_true(has_oldest);
}

static void every_call_is_picked_once_and_by_the_rules(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    (void)state;
    assert_non_null(x);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct db_call *batch[LANE_BATCH_MAX];
        size_t done = 0;

        fill(x, 1 + next_random(50), 1 + next_random(round % 2 ? 2000 : 20));
        while (x->queue.head) {
            const struct db_call *oldest = x->queue.head;
            size_t n = batch_pick(&x->queue, &x->picker, LANE_BATCH_MAX, batch);

            check_batch(batch, n, oldest);
            for (size_t i = 0; i < n; i++) {
                assert_true(batch[i]->since_us >= 0);
                batch[i]->since_us = -1;
            }
            done += n;
        }
        assert_int_equal(done, CALLS);
        assert_int_equal(x->queue.n, 0);
        assert_null(x->queue.tail);
    }
    picker_done(&x->picker);
    free(x);
}

/* Conflicting calls keep their order over batches. */
static void equal_conflicts_stay_in_order(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    struct db_call *batch[LANE_BATCH_MAX];
    int64_t last[16] = {0};

    (void)state;
    assert_non_null(x);
    fill(x, 5, 16);
    for (size_t n; (n = batch_pick(&x->queue, &x->picker, LANE_BATCH_MAX, batch)) > 0;) {
        for (size_t i = 0; i < n; i++) {
            uint64_t key = batch[i]->conflict;

            if (key > 0 && batch[i]->stmt == SQL_PUT) {
                assert_true(batch[i]->since_us >= last[key]);
                last[key] = batch[i]->since_us;
            }
        }
    }
    picker_done(&x->picker);
    free(x);
}

static void accounts_get_equal_shares(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    struct db_call *batch[LANE_BATCH_MAX];
    size_t count[4] = {0};
    size_t n;

    (void)state;
    assert_non_null(x);
    for (size_t i = 0; i < CALLS; i++) {
        /* 2,000 calls of account 0 come first, then the others. */
        int64_t account = i < 2000 ? 0 : 1 + (int64_t)i % 3;

        x->calls[i] = (struct db_call){.stmt = SQL_PUT, .in = &x->put, .fair = account};
        queue_push(&x->queue, &x->calls[i]);
    }
    n = batch_pick(&x->queue, &x->picker, LANE_BATCH_MAX, batch);
    for (size_t i = 0; i < n; i++) {
        count[batch[i]->fair]++;
    }
    assert_int_equal(n, 256);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(count[i], 64);
    }
    picker_done(&x->picker);
    free(x);
}

static void large_calls_make_small_batches(void **state)
{
    static char megabyte[1 << 20];
    struct fixture *x = calloc(1, sizeof(*x));
    struct db_call *batch[LANE_BATCH_MAX];

    (void)state;
    assert_non_null(x);
    x->put.note = (struct text){megabyte, sizeof(megabyte)};
    for (size_t i = 0; i < 10; i++) {
        x->calls[i] = (struct db_call){.stmt = SQL_PUT, .in = &x->put};
        queue_push(&x->queue, &x->calls[i]);
    }
    assert_int_equal(batch_pick(&x->queue, &x->picker, LANE_BATCH_MAX, batch), 4);
    picker_done(&x->picker);
    free(x);
}

static void what_cannot_be_sent_is_refused(void **state)
{
    static struct encoder e;
    struct sql_put huge = {.note = {"", (size_t)300 << 20}};
    const void *in = &huge;
    struct err err = {.code = E_OK};

    (void)state;
    assert_string_equal(encode_missing(&sql_stmts[SQL_PUT], &huge), "id");
    assert_int_equal(encode_params(&e, &sql_stmts[SQL_PUT], &in, 1, &err), E_TOO_LARGE);
    encoder_done(&e);
}

static void sqlstates_mean_what_postgresql_says(void **state)
{
    (void)state;
    assert_int_equal(exec_classify("40001"), EXEC_AGAIN);
    assert_int_equal(exec_classify("40P01"), EXEC_AGAIN);
    assert_int_equal(exec_classify("23505"), EXEC_TWIN);
    assert_int_equal(exec_classify("55P03"), EXEC_BUSY);
    assert_int_equal(exec_classify("57014"), EXEC_BUSY);
    assert_int_equal(exec_classify("53300"), EXEC_BUSY);
    assert_int_equal(exec_classify("57P01"), EXEC_LOST);
    assert_int_equal(exec_classify("25006"), EXEC_LOST);
    assert_int_equal(exec_classify("08006"), EXEC_LOST);
    assert_int_equal(exec_classify("40003"), EXEC_LOST);
    assert_int_equal(exec_classify(""), EXEC_LOST);
    assert_int_equal(exec_classify("P0001"), EXEC_RAISED);
    assert_int_equal(exec_classify("22P02"), EXEC_RAISED);
    assert_int_equal(exec_classify("XX000"), EXEC_RAISED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_call_is_picked_once_and_by_the_rules),
        cmocka_unit_test(equal_conflicts_stay_in_order),
        cmocka_unit_test(accounts_get_equal_shares),
        cmocka_unit_test(large_calls_make_small_batches),
        cmocka_unit_test(what_cannot_be_sent_is_refused),
        cmocka_unit_test(sqlstates_mean_what_postgresql_says),
    };

    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
