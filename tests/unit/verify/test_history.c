/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "eth/abi.h"
#include "verify/history.h"

/* An event of one indexed number and a few words; it lends its arrays to the log. */
struct event {
    struct digest topics[2];
    uint8_t words[5 * 32];
    struct rpc_log log;
};

static void put_u64(uint8_t word[32], uint64_t value)
{
    memset(word, 0, 32);
    for (int i = 0; i < 8; i++)
        word[31 - i] = (uint8_t)(value >> (8 * i));
}

static const struct rpc_log *settled(struct event *e, uint64_t epoch, uint64_t increase)
{
    *e = (struct event){.topics[0] = abi_topic(ABI_EV_SETTLED)};
    put_u64(e->topics[1].b, epoch);
    memset(e->words, (int)(epoch & 0xff), 32);
    put_u64(e->words + 32, increase);
    e->log.abi = (struct abi_log){e->topics, 2, bytes_of(e->words, sizeof(e->words))};
    put_u64(e->log.tx_hash.b, epoch + 7);
    return &e->log;
}

static const struct rpc_log *voided(struct event *e, uint64_t epoch)
{
    *e = (struct event){.topics[0] = abi_topic(ABI_EV_VOIDED)};
    put_u64(e->topics[1].b, epoch);
    e->log.abi = (struct abi_log){e->topics, 2, bytes_of(e->words, 32)};
    return &e->log;
}

static void take(struct history *h, const struct rpc_log *log)
{
    assert_int_equal(history_add(h, log, 1, NULL), E_OK);
}

static void test_batches_come_in_order_and_voids_whenever_they_were(void **state)
{
    struct history h = history_new();
    struct event e;

    (void)state;
    assert_false(history_is_voided(&h, 0));
    take(&h, voided(&e, 2)); /* of a batch before the first block that was asked for */
    take(&h, settled(&e, 3, 30));
    take(&h, settled(&e, 4, UINT64_MAX));
    take(&h, voided(&e, 4));
    take(&h, voided(&e, 3));
    take(&h, settled(&e, 5, 0));
    history_sort(&h);
    assert_int_equal(h.n, 3);
    assert_int_equal(h.batches[0].epoch, 3);
    assert_int_equal(h.batches[0].increase, 30);
    assert_int_equal(h.batches[1].increase, UINT64_MAX);
    assert_int_equal(h.batches[2].root.b[31], 5);
    assert_int_equal(h.batches[2].tx.b[31], 12);
    for (uint64_t epoch = 0; epoch < 8; epoch++)
        assert_int_equal(history_is_voided(&h, epoch), epoch >= 2 && epoch <= 4);
    history_done(&h);
    assert_null(h.batches);
}

static void test_other_events_are_passed_over_and_bad_ones_refused(void **state)
{
    struct history h = history_new();
    struct event e;
    struct rpc_log log;

    (void)state;
    log = *voided(&e, 1);
    e.topics[0] = abi_topic(ABI_EV_RELEASED);
    take(&h, &log);
    log.abi.n_topics = 0;
    take(&h, &log);
    log = *settled(&e, 1, 1);
    log.abi.data.n -= 32;
    assert_int_equal(history_add(&h, &log, 1, NULL), E_PEER);
    log = *voided(&e, 1);
    log.abi.n_topics = 1;
    assert_int_equal(history_add(&h, &log, 1, NULL), E_PEER);
    assert_int_equal(h.n, 0);
    assert_int_equal(h.n_voids, 0);
    history_done(&h);
}

/* A batch a minute for a year, every fourth one void: what is quadratic in it takes hours. */
static void test_a_year_of_batches(void **state)
{
    const uint64_t year = 525600;
    struct history h = history_new();
    struct event e;

    (void)state;
    for (uint64_t epoch = 1; epoch <= year; epoch++) {
        take(&h, settled(&e, epoch, epoch));
        if (epoch % 4 == 0)
            take(&h, voided(&e, year + 4 - epoch));
    }
    history_sort(&h);
    assert_int_equal(h.n, year);
    for (uint64_t epoch = 1; epoch <= year; epoch++) {
        assert_int_equal(h.batches[epoch - 1].epoch, epoch);
        assert_int_equal(history_is_voided(&h, epoch), epoch % 4 == 0);
    }
    history_done(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batches_come_in_order_and_voids_whenever_they_were),
        cmocka_unit_test(test_other_events_are_passed_over_and_bad_ones_refused),
        cmocka_unit_test(test_a_year_of_batches),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
