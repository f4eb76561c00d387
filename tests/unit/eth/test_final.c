/* SPDX-License-Identifier: MIT */
/* What three nodes together call final. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eth/rpc.h"
#include "tests/support/fake_peer.h"

#define NODES 3
#define A     "aaaaaaaaaaaaaaaa"
#define B     "bbbbbbbbbbbbbbbb"
#define C     "cccccccccccccccc"
#define NONE  NULL /* it has no such block */

static struct peer *peers[NODES];
static struct rpc *rpc;
static int id;

static int setup(void **state)
{
    char *urls;

    (void)state;
    id = 0;
    for (int i = 0; i < NODES; i++)
        peers[i] = peer_start();
    assert_true(asprintf(&urls, "%s,%s,%s", peer_url(peers[0]), peer_url(peers[1]),
                         peer_url(peers[2])) > 0);
    rpc = rpc_new(urls, 2000);
    free(urls);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rpc_free(rpc);
    for (int i = 0; i < NODES; i++)
        peer_stop(peers[i]);
    return 0;
}

/* What a node answers to the client's next call. */
static void say(int node, const char *result)
{
    char *text;

    assert_true(asprintf(&text, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":%s}", ++id, result) > 0);
    peer_say(peers[node], text);
    free(text);
}

static void say_block(int node, int number, const char *hash)
{
    char *text;

    if (!hash) {
        say(node, "null");
        return;
    }
    assert_true(asprintf(&text, "{\"number\":\"0x%x\",\"hash\":\"0x%s%s%s%s\"}", (unsigned)number,
                         hash, hash, hash, hash) > 0);
    say(node, text);
    free(text);
}

/* All have the same head, so they are asked in their order; each names a final block. */
static void say_finals(int first, int second, int third)
{
    const int finals[NODES] = {first, second, third};

    for (int i = 0; i < NODES; i++)
        say(i, "\"0x64\"");
    for (int i = 0; i < NODES; i++)
        say_block(i, finals[i], finals[i] < 0 ? NONE : A);
}

static enum err_code final_is(uint64_t *number)
{
    struct err err = {.code = E_OK};

    *number = 777;
    return rpc_final(rpc, "finalized", 0, number, &err);
}

static void test_one_that_lags_holds_nobody_up(void **state)
{
    uint64_t n;

    (void)state;
    say_finals(50, 0, 49);
    say_block(0, 49, A);
    say_block(2, 49, A);
    assert_int_equal(final_is(&n), E_OK);
    assert_int_equal(n, 49);
    assert_false(rpc_health(rpc).split);
}

static void test_one_that_dissents_is_outvoted(void **state)
{
    uint64_t n;

    (void)state;
    say_finals(50, 50, 50);
    say_block(0, 50, B);
    say_block(1, 50, A);
    say_block(2, 50, A);
    assert_int_equal(final_is(&n), E_OK);
    assert_int_equal(n, 50);
    assert_true(rpc_health(rpc).split);
}

/* The one that lies is ahead, and so of the majority for the highest block: the next one counts. */
static void test_one_that_lies_ahead_is_outvoted_further_down(void **state)
{
    uint64_t n;

    (void)state;
    say_finals(90, 48, 50);
    say_block(0, 50, B);
    say_block(2, 50, A);
    say_block(0, 48, B);
    say_block(2, 48, A);
    say_block(1, 48, A);
    assert_int_equal(final_is(&n), E_OK);
    assert_int_equal(n, 48);
    assert_true(rpc_health(rpc).split);
}

static void test_one_that_has_no_final_block_is_not_waited_for(void **state)
{
    uint64_t n;

    (void)state;
    say_finals(50, -1, 52);
    say_block(2, 50, A);
    say_block(0, 50, A);
    assert_int_equal(final_is(&n), E_OK);
    assert_int_equal(n, 50);
}

static void test_three_stories_make_nothing_final(void **state)
{
    uint64_t n;

    (void)state;
    say_finals(50, 50, 50);
    say_block(0, 50, A);
    say_block(1, 50, B);
    say_block(2, 50, C);
    assert_int_equal(final_is(&n), E_PEER);
    assert_int_equal(n, 777);
    assert_true(rpc_health(rpc).split);
}

static void test_half_is_too_few(void **state)
{
    uint64_t n;

    (void)state;
    say_finals(50, 50, 50);
    say_block(0, 50, A);
    say_block(1, 50, NONE);
    say_block(2, 51, A); /* another block than asked for is no answer */
    assert_int_equal(final_is(&n), E_PEER);
    assert_int_equal(n, 777);
    assert_false(rpc_health(rpc).split);
}

static void test_one_alone_is_too_few(void **state)
{
    uint64_t n;

    (void)state;
    say_finals(-1, 50, -1);
    assert_int_equal(final_is(&n), E_PEER);
    assert_int_equal(n, 777);
}

#define HASH "\"0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""
#define RECEIPT(status)                                                                 \
    "{" status "\"blockNumber\":\"0x9\",\"blockHash\":" HASH ",\"gasUsed\":\"0x5208\"," \
    "\"logs\":[]}"

static void test_a_receipt_that_cannot_be_read_is_asked_of_the_next(void **state)
{
    struct arena *arena = arena_new();
    struct rpc_outcome outcome = {.n_logs = 5};
    struct digest tx = {{1}};
    struct err err;

    (void)state;
    for (int i = 0; i < NODES; i++)
        say(i, "\"0x64\"");
    say(0, RECEIPT(""));
    say(1, "\"yes\"");
    say(2, RECEIPT("\"status\":\"0x1\","));
    assert_int_equal(rpc_outcome(rpc, tx, arena, &outcome, &err), E_OK);
    assert_true(outcome.receipt.success);
    assert_int_equal(outcome.receipt.block, 9);
    assert_int_equal(outcome.n_logs, 0);
    arena_free(arena);
}

/* It has not answered, then: the others have. */
static void test_a_receipt_that_cannot_be_read_is_none(void **state)
{
    struct rpc_receipt receipt = {.block = 5};
    struct digest tx = {{1}};
    struct err err;

    (void)state;
    for (int i = 0; i < NODES; i++)
        say(i, "\"0x64\"");
    say(0, RECEIPT(""));
    say(1, "null");
    say(2, "null");
    assert_int_equal(rpc_receipt(rpc, tx, &receipt, &err), E_NOT_FOUND);
    assert_int_equal(receipt.block, 5);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_one_that_lags_holds_nobody_up),
        T(test_one_that_dissents_is_outvoted),
        T(test_one_that_lies_ahead_is_outvoted_further_down),
        T(test_one_that_has_no_final_block_is_not_waited_for),
        T(test_three_stories_make_nothing_final),
        T(test_half_is_too_few),
        T(test_one_alone_is_too_few),
        T(test_a_receipt_that_cannot_be_read_is_asked_of_the_next),
        T(test_a_receipt_that_cannot_be_read_is_none),
    };

    setenv("http_proxy", "http://127.0.0.1:1", 1); /* nobody there: loopback must not use it */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
