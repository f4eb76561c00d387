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
#include "lib/buf.h"
#include "tests/support/fake_peer.h"

#define HASH_A "\"0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""
#define HASH_B "\"0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\""
#define ADDR   "\"0x1111111111111111111111111111111111111111\""

static struct peer *peer;
static struct rpc *rpc;
static struct arena *arena;
static struct err err;

static int setup(void **state)
{
    (void)state;
    peer = peer_start();
    rpc = rpc_new(peer_url(peer), 2000);
    arena = arena_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rpc_free(rpc);
    arena_free(arena);
    peer_stop(peer);
    return 0;
}

/* The next answer is this result; the client counts its calls from 1. */
static int id;

static void say(const char *result)
{
    char *text;

    assert_true(asprintf(&text, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":%s}", ++id, result) > 0);
    peer_say(peer, text);
    free(text);
}

static int fresh(void **state)
{
    id = 0;
    return setup(state);
}

static void test_quantities(void **state)
{
    static const char *const bad[] = {"1071",    "\"1071\"", "\"0x\"", "\"0xg\"",
                                      "null",    "[]",       "{}",     "\"0x-1\"",
                                      "\"0X1\"", "true",     "\"\"",   "\"0x10000000000000000\"",
                                      "\"x1\"",  "\"0x 1\"", "1.5",    "\"0x0x1\""};
    uint64_t n = 5;

    (void)state;
    say("\"0x42f\"");
    assert_int_equal(rpc_chain_id(rpc, &n, &err), E_OK);
    assert_int_equal(n, 1071);
    assert_non_null(strstr(peer_heard(peer), "\"method\":\"eth_chainId\""));
    assert_non_null(strstr(peer_heard(peer), "Content-Type: application/json"));
    say("\"0xffffffffffffffff\"");
    assert_int_equal(rpc_block_number(rpc, &n, &err), E_OK);
    assert_true(n == UINT64_MAX);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        n = 5;
        say(bad[i]);
        if (rpc_block_number(rpc, &n, &err) != E_PEER)
            fail_msg("%s was accepted", bad[i]);
        assert_int_equal(n, 5);
    }
}

static void test_hostile_answers(void **state)
{
    static const char html[] = "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n"
                               "Content-Length: 21\r\n\r\n<html>oh no!!!</html>";
    static const char *const bad[] = {
        "",
        "[]",
        "null",
        "{}",
        "\"0x1\"",
        "{\"id\":1}",
        "{\"id\":99999,\"result\":\"0x1\"}",
        "{\"result\":\"0x1\"}",
        "{\"id\":\"1\",\"result\":\"0x1\"}",
        "{\"id\":1,\"error\":\"text\"}",
        "{\"id\":1,\"error\":{\"code\":\"x\"}}",
        "{\"id\":1,\"error\":{\"message\":\"no code\"}}",
        "{\"id\":1,\"result\":\"0x1\",\"result\":\"0x2\"}",
        "{\"id\":1,\"result\":\"0x1\"",
        "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]",
    };
    uint64_t n = 5;

    (void)state;
    peer_say_raw(peer, html, sizeof(html) - 1);
    assert_int_equal(rpc_chain_id(rpc, &n, &err), E_PEER);
    assert_non_null(strstr(err.text, "502"));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        rpc_free(rpc);
        rpc = rpc_new(peer_url(peer), 2000); /* its first call has id 1 */
        peer_say(peer, bad[i]);
        if (rpc_chain_id(rpc, &n, &err) != E_PEER)
            fail_msg("%s was accepted", bad[i]);
    }
    assert_int_equal(n, 5);
}

static void test_error_objects(void **state)
{
    struct digest hash;

    (void)state;
    peer_say(peer, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32003,\"message\":"
                   "\"nonce too low\\n\\u001b[31m\"}}");
    assert_int_equal(rpc_send_raw(rpc, bytes_of("\x02\xc0", 2), &hash, &err), E_PEER);
    assert_int_equal(rpc_error_code(rpc), -32003);
    assert_non_null(strstr(err.text, "nonce too low??[31m")); /* no control bytes in our log */
    assert_non_null(strstr(peer_heard(peer), "[\"0x02c0\"]"));
    id = 1;
    say(HASH_A);
    assert_int_equal(rpc_send_raw(rpc, bytes_of("\x02\xc0", 2), &hash, &err), E_OK);
    assert_int_equal(rpc_error_code(rpc), 0);
    assert_int_equal(hash.b[0], 0xaa);
}

static void test_a_huge_answer_is_refused(void **state)
{
    size_t size = ((size_t)32 << 20) + 1;
    char *big = malloc(size + 1);
    uint64_t n;

    (void)state;
    memset(big, ' ', size);
    big[size] = '\0';
    peer_say(peer, big);
    assert_int_equal(rpc_chain_id(rpc, &n, &err), E_PEER);
    assert_non_null(strstr(err.text, "too large"));
    free(big);
}

static void test_silence_costs_the_timeout(void **state)
{
    uint64_t n;

    (void)state;
    rpc_free(rpc);
    rpc = rpc_new(peer_url(peer), 200);
    peer_hang(peer);
    assert_int_equal(rpc_chain_id(rpc, &n, &err), E_TIMEOUT);
}

static void test_blocks(void **state)
{
    struct rpc_block b = {.number = 5};
    char tag[RPC_TAG_MAX];

    (void)state;
    say("{\"number\":\"0x10\",\"timestamp\":\"0x65\",\"baseFeePerGas\":\"0x7\",\"hash\":" HASH_A
        ",\"parentHash\":" HASH_B ",\"extra\":[1]}");
    assert_int_equal(rpc_block(rpc, "finalized", &b, &err), E_OK);
    assert_int_equal(b.number, 16);
    assert_int_equal(b.time, 0x65);
    assert_int_equal(b.base_fee, 7);
    assert_int_equal(b.hash.b[31], 0xaa);
    assert_int_equal(b.parent.b[0], 0xbb);
    assert_non_null(strstr(peer_heard(peer), "[\"finalized\",false]"));
    say("null");
    rpc_tag(255, tag);
    assert_int_equal(rpc_block(rpc, tag, &b, &err), E_NOT_FOUND);
    assert_non_null(strstr(peer_heard(peer), "[\"0xff\",false]"));
    say("{\"number\":null,\"timestamp\":\"0x65\",\"hash\":null,\"parentHash\":" HASH_B "}");
    assert_int_equal(rpc_block(rpc, "pending", &b, &err), E_PEER);
    say("{\"number\":\"0x1\",\"timestamp\":\"0x65\",\"hash\":\"0xaa\",\"parentHash\":" HASH_B "}");
    assert_int_equal(rpc_block(rpc, "latest", &b, &err), E_PEER);
    say("\"0x10\"");
    assert_int_equal(rpc_block(rpc, "latest", &b, &err), E_PEER);
    assert_int_equal(b.number, 16);
}

static void test_receipts_and_transactions(void **state)
{
    struct rpc_receipt r = {.block = 0};
    struct digest hash = {{1}};
    struct rpc_tx tx;

    (void)state;
    say("null");
    assert_int_equal(rpc_receipt(rpc, hash, &r, &err), E_NOT_FOUND);
    say("{\"status\":\"0x1\",\"blockNumber\":\"0x9\",\"blockHash\":" HASH_A
        ",\"gasUsed\":\"0x5208\",\"effectiveGasPrice\":\"0x3\",\"contractAddress\":null}");
    assert_int_equal(rpc_receipt(rpc, hash, &r, &err), E_OK);
    assert_true(r.success);
    assert_int_equal(r.block, 9);
    assert_int_equal(r.gas_used, 21000);
    assert_false(r.has_contract);
    say("{\"status\":\"0x0\",\"blockNumber\":\"0x9\",\"blockHash\":" HASH_A
        ",\"gasUsed\":\"0x5208\",\"contractAddress\":" ADDR "}");
    assert_int_equal(rpc_receipt(rpc, hash, &r, &err), E_OK);
    assert_false(r.success);
    assert_true(r.has_contract);
    assert_int_equal(r.contract.b[19], 0x11);
    say("{\"blockNumber\":\"0x9\",\"blockHash\":" HASH_A ",\"gasUsed\":\"0x5208\"}");
    assert_int_equal(rpc_receipt(rpc, hash, &r, &err), E_PEER); /* no status: no verdict */
    say("{\"from\":" ADDR ",\"to\":null,\"nonce\":\"0x2\",\"input\":\"0x\",\"blockNumber\":null}");
    assert_int_equal(rpc_transaction(rpc, hash, arena, &tx, &err), E_OK);
    assert_false(tx.mined);
    assert_int_equal(tx.input.n, 0);
    say("{\"from\":" ADDR ",\"to\":" ADDR
        ",\"nonce\":\"0x2\",\"input\":\"0x0102\",\"blockNumber\":\"0x3\"}");
    assert_int_equal(rpc_transaction(rpc, hash, arena, &tx, &err), E_OK);
    assert_true(tx.mined);
    assert_int_equal(tx.block, 3);
    assert_memory_equal(tx.input.p, "\1\2", 2);
    say("null");
    assert_int_equal(rpc_transaction(rpc, hash, arena, &tx, &err), E_NOT_FOUND);
}

static void test_fees(void **state)
{
    uint64_t base;
    uint64_t priority;

    (void)state;
    /* The history decides, and the node's opinion is not even asked. */
    say("{\"baseFeePerGas\":[\"0x5\",\"0x9\"],\"reward\":[[\"0x2\"]]}");
    assert_int_equal(rpc_fees(rpc, &base, &priority, &err), E_OK);
    assert_non_null(strstr(peer_heard(peer), "[\"0xa\",\"latest\",[50]]"));
    assert_int_equal(base, 9); /* the next block's */
    assert_int_equal(priority, 2);
    /* One block that paid madly moves nothing, nor do empty ones. */
    say("{\"baseFeePerGas\":[\"0x5\"],\"reward\":[[\"0x0\"],[\"0x7\"],[\"0xffffffffff\"],[\"0x3\"],"
        "[\"0x0\"],[\"0x0\"],[\"0x0\"]]}");
    assert_int_equal(rpc_fees(rpc, &base, &priority, &err), E_OK);
    assert_int_equal(priority, 7);
    /* Nobody paid anything, or there are no rewards: the node is asked. */
    say("{\"baseFeePerGas\":[\"0x5\",\"0x9\"],\"reward\":[[\"0x0\"],[\"0x0\"]]}");
    say("\"0x3\"");
    assert_int_equal(rpc_fees(rpc, &base, &priority, &err), E_OK);
    assert_non_null(strstr(peer_heard(peer), "eth_maxPriorityFeePerGas"));
    assert_int_equal(priority, 3);
    say("{\"baseFeePerGas\":[\"0x5\"]}");
    say("\"0x4\"");
    assert_int_equal(rpc_fees(rpc, &base, &priority, &err), E_OK);
    assert_int_equal(priority, 4);
    say("{\"baseFeePerGas\":[\"0x5\"],\"reward\":[[\"0x0\"]]}");
    say("\"high\"");
    assert_int_equal(rpc_fees(rpc, &base, &priority, &err), E_PEER);
    say("{\"baseFeePerGas\":[],\"reward\":[]}");
    assert_int_equal(rpc_fees(rpc, &base, &priority, &err), E_PEER);
    say("[]");
    assert_int_equal(rpc_fees(rpc, &base, &priority, &err), E_PEER);
}

static void test_state(void **state)
{
    struct address a = {{0}};
    struct rpc_view view = {.data = bytes_of("\xab", 1), .tag = "latest"};
    struct bytes out;
    uint8_t word[32];
    uint64_t n;

    (void)state;
    memset(a.b, 0x11, sizeof(a.b));
    say("\"0x\"");
    assert_int_equal(rpc_code(rpc, a, "latest", arena, &out, &err), E_OK);
    assert_int_equal(out.n, 0);
    say("\"0x6000\"");
    view.to = a;
    assert_int_equal(rpc_read(rpc, &view, arena, &out, &err), E_OK);
    assert_memory_equal(out.p, "\x60\x00", 2);
    assert_non_null(strstr(peer_heard(peer), "\"data\":\"0xab\""));
    assert_non_null(strstr(peer_heard(peer), "\"to\":" ADDR));
    say("\"0x600\"");
    assert_int_equal(rpc_code(rpc, a, "latest", arena, &out, &err), E_PEER); /* half a byte */
    say("\"0x10000000000000000\"");
    assert_int_equal(rpc_balance(rpc, a, "latest", word, &err), E_OK);
    assert_int_equal(word[23], 1);
    say("\"0x5\"");
    assert_int_equal(rpc_nonce(rpc, a, "pending", &n, &err), E_OK);
    assert_int_equal(n, 5);
    assert_non_null(strstr(peer_heard(peer), "[" ADDR ",\"pending\"]"));
    say("\"0x5208\"");
    assert_int_equal(rpc_estimate_gas(rpc, a, a, bytes_of("", 0), &n, &err), E_OK);
    assert_int_equal(n, 21000);
    say("\"0x1\"");
    assert_int_equal(rpc_gas_price(rpc, &n, &err), E_OK);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, teardown)
    const struct CMUnitTest tests[] = {
        T(test_quantities),
        T(test_hostile_answers),
        T(test_error_objects),
        T(test_a_huge_answer_is_refused),
        T(test_silence_costs_the_timeout),
        T(test_blocks),
        T(test_receipts_and_transactions),
        T(test_fees),
        T(test_state),
    };

    setenv("http_proxy", "http://127.0.0.1:1", 1); /* nobody there: loopback must not use it */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
