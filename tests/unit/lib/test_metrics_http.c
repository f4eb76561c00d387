/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/metrics_http.h"

#define LARGE ((size_t)8 << 20) /* more than the kernel holds for who reads nothing */

static struct metrics_http server;
static enum err_code outcome;
static size_t extra; /* bytes of text, beside the figure */

static enum err_code fill(void *ctx, struct buf *out, struct err *err)
{
    char block[4096];
    enum err_code rc = buf_printf(out, err, "figure %d\n", *(const int *)ctx);

    memset(block, 'x', sizeof(block));
    for (size_t n = 0; rc == E_OK && n < extra; n += sizeof(block))
        rc = buf_add(out, block, sizeof(block), err);
    return rc == E_OK ? outcome : rc;
}

static int begin(void **state)
{
    static const int figure = 7;

    (void)state;
    outcome = E_OK;
    extra = 0;
    server = (struct metrics_http){.fd = -1};
    return metrics_http_open(&server, "OPTION", "127.0.0.1:0", NULL) == E_OK &&
                   metrics_http_start(&server, fill, (void *)&figure, NULL) == E_OK
               ? 0
               : -1;
}

static int end(void **state)
{
    (void)state;
    metrics_http_close(&server);
    metrics_http_close(&server); /* once more is nothing more */
    return server.fd == -1 ? 0 : -1;
}

static struct sockaddr_in own_address(void)
{
    struct sockaddr_in at;
    socklen_t n = sizeof(at);

    assert_int_equal(getsockname(server.fd, (struct sockaddr *)&at, &n), 0);
    return at;
}

/* A connection that has said this. @room  for the answer; 0: the system's own */
static int call_with(const char *request, int room)
{
    struct sockaddr_in at = own_address();
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (room > 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
    return fd;
}

static int call(const char *request)
{
    return call_with(request, 0);
}

/* Everything until the end of the connection, which is closed. @return bytes read */
static size_t answer(int fd, char *out, size_t room)
{
    size_t n = 0;
    ssize_t got;

    while ((got = recv(fd, out + n, room - 1 - n, 0)) > 0)
        n += (size_t)got;
    out[n] = '\0';
    close(fd);
    return n;
}

static void test_one_page_and_no_other(void **state)
{
    char text[1024];

    (void)state;
    answer(call("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"), text, sizeof(text));
    assert_string_equal(text, "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n"
                              "Content-Length: 9\r\nConnection: close\r\n\r\nfigure 7\n");
    answer(call("GET /metrics/x HTTP/1.1\r\n\r\n"), text, sizeof(text));
    assert_non_null(strstr(text, "404 Not Found"));
    answer(call("POST /metrics HTTP/1.1\r\n\r\n"), text, sizeof(text));
    assert_non_null(strstr(text, "404 Not Found"));
}

static void test_what_cannot_be_told_is_no_empty_page(void **state)
{
    char text[1024];

    (void)state;
    outcome = E_IO;
    answer(call("GET /metrics HTTP/1.1\r\n\r\n"), text, sizeof(text));
    assert_non_null(strstr(text, "500 Internal Server Error"));
    assert_null(strstr(text, "figure"));
    outcome = E_OK;
    extra = LARGE; /* more than is ever served */
    answer(call("GET /metrics HTTP/1.1\r\n\r\n"), text, sizeof(text));
    assert_non_null(strstr(text, "500 Internal Server Error"));
}

/* Each of them has its two seconds, then the next is served. */
static void test_slow_callers_do_not_keep_it(void **state)
{
    static char text[LARGE];
    char head[5000];
    int silent = call("");
    int reader;

    (void)state;
    memset(head, 'x', sizeof(head) - 1);
    head[sizeof(head) - 1] = '\0';
    answer(call("GET /metrics HTTP/1.1\r\n\r\n"), text, sizeof(text));
    assert_non_null(strstr(text, "figure 7"));
    close(silent);
    /* A head without an end: whatever has been read, it is closed. */
    answer(call(head), text, sizeof(text));
    assert_string_equal(text, "");
    extra = LARGE - 8192;
    /* Reads nothing until the next was served. */
    reader = call_with("GET /metrics HTTP/1.1\r\n\r\n", 1);
    assert_true(answer(call("GET /metrics HTTP/1.1\r\n\r\n"), text, sizeof(text)) > extra);
    close(reader);
}

static void test_where_it_cannot_listen(void **state)
{
    struct metrics_http other = {.fd = 0};
    struct err err;
    char at[32];

    (void)state;
    snprintf(at, sizeof(at), "127.0.0.1:%u", ntohs(own_address().sin_port));
    assert_int_equal(metrics_http_open(&other, "OPTION", at, &err), E_CONFIG);
    assert_non_null(strstr(err.text, "OPTION: cannot listen at 127.0.0.1:"));
    assert_non_null(strstr(err.text, "Address already in use"));
    assert_int_equal(other.fd, -1);
    assert_int_equal(metrics_http_open(&other, "OPTION", "9464", &err), E_CONFIG);
    assert_string_equal(err.text, "OPTION must be host:port");
    assert_int_equal(metrics_http_open(&other, "OPTION", "localhost:9464", &err), E_CONFIG);
    assert_string_equal(err.text, "OPTION must be a numeric host:port");
    metrics_http_close(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_page_and_no_other, begin, end),
        cmocka_unit_test_setup_teardown(test_what_cannot_be_told_is_no_empty_page, begin, end),
        cmocka_unit_test_setup_teardown(test_slow_callers_do_not_keep_it, begin, end),
        cmocka_unit_test_setup_teardown(test_where_it_cannot_listen, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
