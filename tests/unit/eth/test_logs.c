/* SPDX-License-Identifier: MIT */
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

#define WORD "\"0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""
#define ADDR "\"0x1111111111111111111111111111111111111111\""
#define ELSE "\"0x2222222222222222222222222222222222222222\""

/* A log with the given address, block, index and one more member. */
#define LOG(address, block, index, more)                                                           \
    "{\"address\":" address ",\"topics\":[" WORD "," WORD "],\"data\":\"0x0102\",\"blockNumber\":" \
    "\"" block "\",\"blockHash\":" WORD ",\"transactionHash\":" WORD ",\"logIndex\":\"" index      \
    "\"" more "}"
#define FORK                                                                                     \
    "{\"address\":" ADDR ",\"topics\":[],\"data\":\"0x\",\"blockNumber\":\"0x5\",\"blockHash\":" \
    "\"0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\","                    \
    "\"transactionHash\":" WORD ",\"logIndex\":\"0x1\"}"
#define GOOD LOG(ADDR, "0x5", "0x0", "")

static struct peer *peer;
static struct arena *arena;

static int setup(void **state)
{
    (void)state;
    peer = peer_start();
    arena = arena_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_free(arena);
    peer_stop(peer);
    return 0;
}

/* Ask for blocks 5 to 9 of one contract; the node answers this list. */
static enum err_code ask(const char *list, struct rpc_log **logs, size_t *n)
{
    struct rpc *rpc = rpc_new(peer_url(peer), 2000);
    struct address contract;
    const struct rpc_filter filter = {5, 9, &contract, 1};
    struct err err = {.code = E_OK};
    enum err_code rc;
    char *text;

    memset(contract.b, 0x11, sizeof(contract.b));
    assert_true(asprintf(&text, "{\"id\":1,\"result\":%s}", list) > 0);
    peer_say(peer, text);
    rc = rpc_logs(rpc, &filter, arena, logs, n, &err);
    free(text);
    rpc_free(rpc);
    return rc;
}

static void test_good_logs(void **state)
{
    struct rpc_log *logs;
    size_t n;

    (void)state;
    assert_int_equal(ask("[" GOOD "," LOG(ADDR, "0x5", "0x3",
                                          ",\"removed\":false") "," LOG(ADDR, "0x9", "0x0", "") "]",
                         &logs, &n),
                     E_OK);
    assert_int_equal(n, 3);
    assert_int_equal(logs[1].index, 3);
    assert_int_equal(logs[2].block, 9);
    assert_int_equal(logs[0].abi.n_topics, 2);
    assert_int_equal(logs[0].abi.topics[1].b[5], 0xaa);
    assert_memory_equal(logs[0].abi.data.p, "\1\2", 2);
    assert_non_null(strstr(peer_heard(peer), "\"fromBlock\":\"0x5\""));
    assert_non_null(strstr(peer_heard(peer), "\"toBlock\":\"0x9\""));
    assert_non_null(strstr(peer_heard(peer), "\"address\":[" ADDR "]"));
    assert_int_equal(ask("[]", &logs, &n), E_OK);
    assert_int_equal(n, 0);
}

static void test_hostile_logs(void **state)
{
    static const char *const bad[] = {
        "null",
        "{}",
        "[null]",
        "[{}]",
        "[" LOG(ELSE, "0x5", "0x0", "") "]",                  /* not asked for */
        "[" LOG(ADDR, "0x4", "0x0", "") "]",                  /* before the range */
        "[" LOG(ADDR, "0xa", "0x0", "") "]",                  /* behind it */
        "[" GOOD "," GOOD "]",                                /* twice */
        "[" LOG(ADDR, "0x6", "0x0", "") "," GOOD "]",         /* out of order */
        "[" LOG(ADDR, "0x5", "0x1", "") "," GOOD "]",         /* out of order in a block */
        "[" LOG(ADDR, "0x5", "0x0", ",\"removed\":true") "]", /* of a reorg */
        "[" GOOD "," FORK "]",                                /* two blocks of one height */
        "[{\"address\":" ADDR ",\"topics\":\"x\"}]",
        "[{\"address\":" ADDR ",\"topics\":[" WORD "," WORD "," WORD "," WORD "," WORD "]}]",
        "[{\"address\":" ADDR ",\"topics\":[\"0x01\"]}]",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct rpc_log *logs = NULL;
        size_t n = 77;

        if (ask(bad[i], &logs, &n) != E_PEER)
            fail_msg("%s was accepted", bad[i]);
        assert_int_equal(n, 77);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_good_logs, setup, teardown),
        cmocka_unit_test_setup_teardown(test_hostile_logs, setup, teardown),
    };

    setenv("http_proxy", "http://127.0.0.1:1", 1); /* nobody there: loopback must not use it */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
