/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/http.h"
#include "tests/support/fake_peer.h"

static struct peer *peer;
static struct http_client *client;
static struct http_reply reply;
static struct err err;

static int setup(void **state)
{
    (void)state;
    peer = peer_start();
    client = http_client_new();
    memset(&reply, 0, sizeof(reply));
    memset(&err, 0, sizeof(err));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_done(&reply.body);
    http_client_free(client);
    peer_stop(peer);
    return 0;
}

static struct http_call call(const char *method)
{
    return (struct http_call){.method = method, .url = peer_url(peer), .timeout_ms = 3000};
}

static bool heard(const char *words)
{
    return strstr(peer_heard(peer), words) != NULL;
}

static void test_get_and_post_keep_one_connection(void **state)
{
    static const char *const headers[] = {"X-Test: yes", NULL};
    struct http_call c = call("GET");

    (void)state;
    c.headers = headers;
    peer_say(peer, "{\"a\":1}");
    assert_int_equal(http_do(client, &c, &reply, &err), E_OK);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body.n, 7);
    assert_memory_equal(reply.body.p, "{\"a\":1}", 7);
    assert_string_equal(reply.content_type, "application/json");
    assert_true(heard("GET / HTTP/1.1\r\n"));
    assert_true(heard("X-Test: yes\r\n"));
    c = call("POST");
    c.body = "a\0b";
    c.body_len = 3;
    peer_say(peer, "[]");
    assert_int_equal(http_do(client, &c, &reply, &err), E_OK);
    assert_int_equal(reply.body.n, 2); /* the old body is gone */
    assert_true(heard("POST / HTTP/1.1\r\n"));
    assert_true(heard("Content-Length: 3\r\n"));
    assert_false(heard("Expect"));
    assert_false(heard("X-Test")); /* nothing of the call before is left */
    c = call("DELETE");
    peer_say(peer, "{}");
    assert_int_equal(http_do(client, &c, &reply, &err), E_OK);
    assert_true(heard("DELETE / HTTP/1.1\r\n"));
    assert_int_equal(peer_connections(peer), 1);
}

/* libcurl asks "Expect: 100-continue" for more than a megabyte, unless told otherwise. */
static void test_large_bodies_wait_for_nobody(void **state)
{
    size_t n = ((size_t)1 << 20) + 1;
    struct http_call c = call("POST");
    char *body = calloc(1, n);

    (void)state;
    c.body = body;
    c.body_len = n;
    peer_say(peer, "{}");
    assert_int_equal(http_do(client, &c, &reply, &err), E_OK);
    assert_true(heard("POST / HTTP/1.1\r\n"));
    assert_false(heard("Expect"));
    free(body);
}

static void test_statuses_are_answers(void **state)
{
    static const char busy[] = "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n";
    static const char moved[] = "HTTP/1.1 302 Found\r\nLocation: http://169.254.1.1/secret\r\n"
                                "Content-Length: 0\r\n\r\n";
    static const char login[] = "HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer realm=\"x\"  \r\n"
                                "Content-Length: 0\r\n\r\n";
    struct http_call c = call("GET");

    (void)state;
    peer_say_raw(peer, busy, sizeof(busy) - 1);
    assert_int_equal(http_do(client, &c, &reply, &err), E_OK);
    assert_int_equal(reply.status, 503);
    assert_int_equal(reply.retry_after_s, 7);
    peer_say_raw(peer, moved, sizeof(moved) - 1);
    assert_int_equal(http_do(client, &c, &reply, &err), E_OK);
    assert_int_equal(reply.status, 302); /* not followed */
    assert_string_equal(reply.location, "http://169.254.1.1/secret");
    assert_int_equal(reply.retry_after_s, 0);
    peer_say_raw(peer, login, sizeof(login) - 1);
    assert_int_equal(http_do(client, &c, &reply, &err), E_OK);
    assert_string_equal(reply.authenticate, "Bearer realm=\"x\"");
    assert_string_equal(reply.location, "");
}

static void test_replies_are_capped(void **state)
{
    static const char drip[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "5\r\n12345\r\n5\r\n67890\r\n0\r\n\r\n";
    struct http_call c = call("GET");

    (void)state;
    c.max_reply = 10;
    peer_say_raw(peer, drip, sizeof(drip) - 1);
    assert_int_equal(http_do(client, &c, &reply, &err), E_OK);
    assert_int_equal(reply.body.n, 10);
    c.max_reply = 9;
    peer_say_raw(peer, drip, sizeof(drip) - 1);
    assert_int_equal(http_do(client, &c, &reply, &err), E_TOO_LARGE);
    peer_say(peer, "1234567890");
    assert_int_equal(http_do(client, &c, &reply, &err), E_TOO_LARGE);
}

static void test_broken_peers(void **state)
{
    static const char cut[] = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort";
    static const char noise[] = "SSH-2.0-OpenSSH_9.2\r\n\r\n";
    struct http_call c = call("GET");

    (void)state;
    peer_drop(peer);
    assert_int_equal(http_do(client, &c, &reply, &err), E_PEER);
    peer_say_raw(peer, noise, sizeof(noise) - 1);
    assert_int_equal(http_do(client, &c, &reply, &err), E_PEER);
    c.timeout_ms = 300;
    peer_say_raw(peer, cut, sizeof(cut) - 1);
    assert_int_equal(http_do(client, &c, &reply, &err), E_TIMEOUT);
    c.url = "http://127.0.0.1:1/";
    assert_int_equal(http_do(client, &c, &reply, &err), E_PEER);
    c.url = "file:///etc/passwd";
    assert_int_equal(http_do(client, &c, &reply, &err), E_PEER);
    c.url = "not a url";
    assert_int_equal(http_do(client, &c, &reply, &err), E_PEER);
    assert_true(strlen(err.text) > 0);
}

static bool stop_now(void *ctx)
{
    return ++*(int *)ctx > 0;
}

static void test_timeouts_and_stops(void **state)
{
    struct http_call c = call("GET");
    int64_t from = clock_mono_us();
    int asked = 0;

    (void)state;
    c.timeout_ms = 200;
    peer_hang(peer);
    assert_int_equal(http_do(client, &c, &reply, &err), E_TIMEOUT);
    assert_in_range(clock_mono_us() - from, 150000, 2000000);
    c.timeout_ms = 60000;
    c.stop = stop_now;
    c.stop_ctx = &asked;
    peer_hang(peer);
    from = clock_mono_us();
    assert_int_equal(http_do(client, &c, &reply, &err), E_TIMEOUT);
    assert_true(asked > 0);
    assert_in_range(clock_mono_us() - from, 0, 5000000);
}

static void test_files_go_up_and_come_down(void **state)
{
    FILE *up = tmpfile();
    FILE *down = tmpfile();
    struct http_call c = call("PUT");
    char back[16];

    (void)state;
    fputs("file body", up);
    fflush(up); /* the position is at the end: uploads start at offset 0 all the same */
    c.body_fd = fileno(up);
    c.body_fd_len = 9;
    c.reply_fd = fileno(down);
    peer_say(peer, "to a file");
    assert_int_equal(http_do(client, &c, &reply, &err), E_OK);
    assert_true(heard("PUT / HTTP/1.1\r\n"));
    assert_true(heard("Content-Length: 9\r\n"));
    assert_true(heard("\r\n\r\nfile body"));
    assert_int_equal(reply.reply_len, 9);
    assert_int_equal(reply.body.n, 0);
    assert_int_equal(pread(fileno(down), back, sizeof(back), 0), 9);
    assert_memory_equal(back, "to a file", 9);
    c.body_fd_len = 10; /* one byte more than there is */
    peer_say(peer, "{}");
    assert_int_equal(http_do(client, &c, &reply, &err), E_IO);
    fclose(up);
    fclose(down);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_get_and_post_keep_one_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_bodies_wait_for_nobody, setup, teardown),
        cmocka_unit_test_setup_teardown(test_statuses_are_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_replies_are_capped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_broken_peers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timeouts_and_stops, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files_go_up_and_come_down, setup, teardown),
    };

    setenv("http_proxy", "http://127.0.0.1:1", 1); /* nobody there: loopback must not use it */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
