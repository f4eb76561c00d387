/* SPDX-License-Identifier: MIT */
/* The reader of callbacks: what a hostile source may send, whole and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "workers/contain/http_in.h"

static enum http_in_state feed(struct http_in *h, const char *text, size_t step, size_t max)
{
    size_t n = strlen(text);
    http_in_begin(h, max);
    for (size_t i = 0; i < n; i += step)
        http_in_feed(h, text + i, n - i < step ? n - i : step);
    return h->state;
}

/* The same end whether it comes at once or in drops. */
static void expect(const char *text, enum http_in_state want, const char *body)
{
    static const size_t steps[] = {1, 2, 3, 7, 100000};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct http_in h;
        assert_int_equal(feed(&h, text, steps[i], 16), want);
        if (body) {
            assert_int_equal(h.body.n, strlen(body));
            assert_memory_equal(h.body.p, body, strlen(body));
        }
        http_in_done(&h);
    }
}

#define POST "POST /0xab HTTP/1.1\r\nHost: a\r\n"

static void test_good(void **state)
{
    struct http_in h;
    (void)state;
    expect(POST "Content-Length: 5\r\n\r\nhello", HTTP_IN_DONE, "hello");
    expect(POST "content-length:  5 \r\n\r\nhelloEXTRA", HTTP_IN_DONE, "hello");
    expect(POST "\r\n", HTTP_IN_DONE, "");
    expect(POST "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n",
           HTTP_IN_DONE, "hello");
    expect(POST "Transfer-Encoding: Chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n", HTTP_IN_DONE, "");
    assert_int_equal(feed(&h, POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n", 9, 16),
                     HTTP_IN_BODY);
    assert_true(h.expects_continue);
    assert_string_equal(h.method, "POST");
    assert_string_equal(h.path, "/0xab");
    http_in_done(&h);
}

static void test_bad(void **state)
{
    static const char *const bad[] = {
        "\r\n\r\n",
        "POST /x\r\n\r\n",
        "POST /x HTTP/2.0\r\n\r\n",
        "POST  /x HTTP/1.1\r\n\r\n",
        "TOOLONGMETHOD /x HTTP/1.1\r\n\r\n",
        POST "Content-Length: -1\r\n\r\n",
        POST "Content-Length: +5\r\n\r\nhello",
        POST "Content-Length: 0x5\r\n\r\nhello",
        POST "Content-Length: 5 5\r\n\r\nhello",
        POST "Content-Length: 99999999999999999999\r\n\r\n",
        POST "Content-Length:\r\n\r\n",
        POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
        POST "Transfer-Encoding: gzip, chunked\r\n\r\n",
        POST "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        POST "Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        POST "Transfer-Encoding: chunked\r\n\r\n3\r\nhelXX0\r\n\r\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect(bad[i], HTTP_IN_BAD, NULL);
}

static void test_limits(void **state)
{
    struct http_in h;
    char *line = malloc(40000);
    (void)state;
    expect(POST "Content-Length: 17\r\n\r\n", HTTP_IN_TOO_LARGE, NULL);
    expect(POST "Content-Length: 16\r\n\r\n0123456789abcdef", HTTP_IN_DONE, "0123456789abcdef");
    expect(POST "Transfer-Encoding: chunked\r\n\r\n9\r\n123456789\r\n9\r\n123456789\r\n0\r\n\r\n",
           HTTP_IN_TOO_LARGE, NULL);
    assert_non_null(line);
    memset(line, 'a', 39999);
    line[39999] = '\0';
    assert_int_equal(feed(&h, line, 100, 16), HTTP_IN_BAD);
    http_in_done(&h);
    /* a chunk's size line that never ends */
    memcpy(line, POST "Transfer-Encoding: chunked\r\n\r\n",
           strlen(POST "Transfer-Encoding: chunked\r\n\r\n"));
    assert_int_equal(feed(&h, line, 100, 16), HTTP_IN_BAD);
    http_in_done(&h);
    free(line);
}

/* Any bytes at all: it ends in one of its states and within its memory (the sanitizers watch). */
static void test_noise(void **state)
{
    (void)state;
    srand(1);
    for (int round = 0; round < 2000; round++) {
        struct http_in h;
        http_in_begin(&h, 64);
        if (round % 2)
            http_in_feed(&h, POST "Transfer-Encoding: chunked\r\n\r\n",
                         strlen(POST "Transfer-Encoding: chunked\r\n\r\n"));
        for (int i = 0; i < 20; i++) {
            static const char some[] = "0123abc\r\n\r\n;: /PT";
            char bytes[16];
            for (size_t k = 0; k < sizeof(bytes); k++)
                bytes[k] = some[(size_t)rand() % (sizeof(some) - 1)];
            http_in_feed(&h, bytes, sizeof(bytes));
        }
        assert_true(h.body.n <= 64);
        http_in_done(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
