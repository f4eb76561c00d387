/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>

#include "queue/bell.h"
#include "queue/link.h"

static void test_urls(void **state)
{
    struct link_address at;
    struct err err;

    (void)state;
    assert_int_equal(link_parse("redis://localhost", &at, &err), E_OK);
    assert_string_equal(at.host, "localhost");
    assert_int_equal(at.port, 6379);
    assert_int_equal(link_parse("redis://user:p%40ss@10.0.0.1:7000/3", &at, &err), E_OK);
    assert_string_equal(at.host, "10.0.0.1");
    assert_string_equal(at.password, "p%40ss");
    assert_int_equal(at.port, 7000);
    assert_int_equal(at.db, 3);
    assert_int_equal(link_parse("redis://[::1]:7001", &at, &err), E_OK);
    assert_string_equal(at.host, "::1");
    assert_int_equal(link_parse("unix:///run/redis.sock", &at, &err), E_OK);
    assert_string_equal(at.host, "/run/redis.sock");
    assert_int_equal(at.port, 0);
}

static void test_refused_urls(void **state)
{
    static const char *const bad[] = {
        "",
        "localhost:6379",
        "http://localhost",
        "redis://",
        "redis://:6379",
        "redis://host:0",
        "redis://host:65536",
        "redis://host:12x",
        "redis://host/x",
        "redis://secret@host",
        "redis://[::1",
        "unix://relative",
    };
    struct link_address at;
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_int_equal(link_parse(bad[i], &at, &err), E_CONFIG);
        assert_null(strstr(err.text, "secret"));
    }
}

static uint64_t seen[BELL_TOPICS_MAX];
static size_t n_seen;

static void collect(void *ctx, uint64_t topic)
{
    (void)ctx;
    seen[n_seen++] = topic;
}

static void test_messages(void **state)
{
    static uint8_t message[BELL_MESSAGE_MAX];
    uint64_t topics[BELL_TOPICS_MAX];
    size_t n;

    (void)state;
    for (uint64_t i = 0; i < BELL_TOPICS_MAX; i++)
        topics[i] = i * 0x9e3779b97f4a7c15;
    n = bell_write(5, topics, BELL_TOPICS_MAX, message);
    assert_int_equal(n, BELL_MESSAGE_MAX);
    bell_read(bytes_of(message, n), 6, collect, NULL);
    assert_int_equal(n_seen, BELL_TOPICS_MAX);
    assert_memory_equal(seen, topics, sizeof(topics));
    /* Our own, cut, empty, too long: nothing rings. */
    n_seen = 0;
    bell_read(bytes_of(message, n), 5, collect, NULL);
    bell_read(bytes_of(message, n - 1), 6, collect, NULL);
    bell_read(bytes_of(message, 8), 6, collect, NULL);
    bell_read(bytes_of(message, 0), 6, collect, NULL);
    bell_read(bytes_of(message, n + 8), 6, collect, NULL);
    assert_int_equal(n_seen, 0);
}

static void test_topics_differ_by_kind(void **state)
{
    const struct uuid id = {{7}};

    (void)state;
    assert_true(bell_source(id) != bell_task(id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_refused_urls),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_topics_differ_by_kind),
    };

    signal(SIGPIPE, SIG_IGN); /* as the gateway does; hiredis writes to what is gone */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
