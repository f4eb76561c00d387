/* SPDX-License-Identifier: MIT */
/* The proxy for a source's network: what it reads of a request, and when it loses patience. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workers/contain/egress_proxy.h"
#include "workers/egress_terms.h"

/* ---- heads ---- */

static bool read_head(const char *text, struct egress_request *q, char *forward,
                      struct egress_refusal *no)
{
    struct buf b = {.cap = 4096};
    bool ok = egress_head_read(text, strlen(text), q, &b, no);
    memcpy(forward, b.p ? (const char *)b.p : "", b.n);
    forward[b.n] = '\0';
    buf_done(&b);
    return ok;
}

static void test_good_heads(void **state)
{
    struct egress_request q;
    struct egress_refusal no;
    char f[4097];
    (void)state;
    assert_true(read_head("CONNECT A.Example.org.:443 HTTP/1.1\r\nHost: a.example.org:443\r\n\r\n",
                          &q, f, &no));
    assert_true(q.tunnel);
    assert_string_equal(q.host, "a.example.org");
    assert_int_equal(q.port, 443);
    assert_string_equal(f, "");
    assert_true(read_head("POST HTTP://a.org:8080/x?y HTTP/1.1\r\nhost: a.org:8080\r\n"
                          "Connection: close, x-hop\r\nX-Hop: 1\r\nTE: x\r\nContent-Length: 3\r\n"
                          "A:\tb \r\n\r\n",
                          &q, f, &no));
    assert_string_equal(f, "POST /x?y HTTP/1.1\r\nHost: a.org:8080\r\nConnection: close\r\n"
                           "Content-Length: 3\r\nA: b\r\n\r\n");
    assert_int_equal(q.length, 3);
    assert_true(read_head("GET http://a.org?q HTTP/1.0\r\n\r\n", &q, f, &no));
    assert_string_equal(f, "GET /?q HTTP/1.0\r\nHost: a.org\r\nConnection: close\r\n\r\n");
    assert_int_equal(q.port, 80);
    assert_true(read_head("GET http://a.org HTTP/1.1\r\nHost: a.org:80\r\n\r\n", &q, f, &no));
}

static void test_bad_heads(void **state)
{
    static const struct {
        const char *text;
        int status;
    } bad[] = {
        {"\r\n\r\n", 400},
        {"GET\r\n\r\n", 400},
        {"GET http://a.org/\r\n\r\n", 400},
        {"GET http://a.org/ HTTP/1.2\r\n\r\n", 400},
        {"GET  http://a.org/ HTTP/1.1\r\n\r\n", 400},
        {"G@T http://a.org/ HTTP/1.1\r\n\r\n", 400},
        {"GET /x HTTP/1.1\r\nHost: a.org\r\n\r\n", 400},
        {"GET ftp://a.org/ HTTP/1.1\r\n\r\n", 400},
        {"GET http:///x HTTP/1.1\r\n\r\n", 403},
        {"GET http://*.a.org/ HTTP/1.1\r\n\r\n", 403},
        {"GET http://a.org:0/ HTTP/1.1\r\n\r\n", 403},
        {"GET http://u:p@a.org/ HTTP/1.1\r\n\r\n", 403},
        {"GET http://[::1]/ HTTP/1.1\r\n\r\n", 403},
        {"GET http://a.org#b.org/ HTTP/1.1\r\n\r\n", 400},
        {"GET http://a.org\\.b.org/ HTTP/1.1\r\n\r\n", 403},
        {"GET http://a.org/ HTTP/1.1\r\nHost: b.org\r\n\r\n", 403},
        {"GET http://a.org/ HTTP/1.1\r\nHost: a.org:81\r\n\r\n", 403},
        {"GET http://a.org/ HTTP/1.1\r\nHost: a.org\r\nHost: a.org\r\n\r\n", 400},
        {"GET http://a.org/ HTTP/1.1\r\nHost:\r\n\r\n", 403},
        {"GET http://a.org/ HTTP/1.1\r\nA\r\n\r\n", 400},
        {"GET http://a.org/ HTTP/1.1\r\nA : b\r\n\r\n", 400},
        {"GET http://a.org/ HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400},
        {"GET http://a.org/ HTTP/1.1\r\nA: b\rc\r\n\r\n", 400},
        {"GET http://a.org/ HTTP/1.1\r\nA: b\nc: d\r\n\r\n", 400},
        {"GET http://a.org/ HTTP/1.1\r\nA: \x01\r\n\r\n", 400},
        {"GET http://a.org/ HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
        {"GET http://a.org/ HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
        {"GET http://a.org/ HTTP/1.1\r\nContent-Length: 1e1\r\n\r\n", 400},
        {"GET http://a.org/ HTTP/1.1\r\nContent-Length: 9999999999999999\r\n\r\n", 400},
        {"GET http://a.org/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411},
        {"CONNECT a.org HTTP/1.1\r\n\r\n", 400},
        {"CONNECT a.org: HTTP/1.1\r\n\r\n", 403},
        {"CONNECT 10.0.0.1:443 HTTP/1.1\r\n\r\n", 403},
        {"CONNECT a.org:443 HTTP/1.1\r\nContent-Length: 1\r\n\r\n", 400},
        {"CONNECT a.org:443 HTTP/1.1\r\nHost: b.org:443\r\n\r\n", 403},
    };
    struct egress_request q;
    struct egress_refusal no = {0, NULL};
    char f[4097];
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (read_head(bad[i].text, &q, f, &no))
            fail_msg("taken: %s", bad[i].text);
        if (no.status != bad[i].status)
            fail_msg("%d, not %d: %s", no.status, bad[i].status, bad[i].text);
        assert_true(strlen(no.why) > 0 && !strchr(no.why, '\n'));
    }
}

/* ---- the process, with little patience ---- */

struct served {
    pid_t pid;
    int control;
    struct egress_book *book;
    struct sockaddr_in at;
};

static void serve(struct served *s, const struct egress_config *c)
{
    int pair[2];
    socklen_t len = sizeof(s->at);
    s->book =
        mmap(NULL, sizeof(*s->book), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(s->book != MAP_FAILED);
    s->at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&s->at, len), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&s->at, &len), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    s->pid = fork();
    assert_true(s->pid >= 0);
    if (s->pid == 0) {
        close(pair[0]);
        egress_serve(c, fd, pair[1], s->book);
    }
    close(pair[1]);
    close(fd);
    s->control = pair[0];
}

/* Hang up; it must end by itself. */
static void finish(struct served *s)
{
    int status = 0;
    close(s->control);
    assert_int_equal(waitpid(s->pid, &status, 0), s->pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    munmap(s->book, sizeof(*s->book));
}

static int call_proxy(const struct served *s, const char *text)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&s->at, sizeof(s->at)), 0);
    assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
    return fd;
}

/* All that it says until it hangs up. */
static void hear(int fd, char out[512])
{
    size_t n = 0;
    ssize_t got;
    while (n < 511 && (got = recv(fd, out + n, 511 - n, 0)) > 0)
        n += (size_t)got;
    out[n] = '\0';
    close(fd);
}

static struct egress_config config_of(const char *host)
{
    struct egress_config c = {.count = 1,
                              .private_count = 1,
                              .max_bytes = 1000,
                              .times = {200, 1000, 200, 100000},
                              .connections = 2};
    assert_null(egress_host_read(text_of(host), &c.hosts[0]));
    c.privates[0] = c.hosts[0];
    return c;
}

static void test_patience(void **state)
{
    struct egress_config c = config_of("a.org");
    struct served s;
    char text[512];
    (void)state;
    serve(&s, &c);
    /* Two sit there without a word; the third waits until they are turned away. */
    int silent[2] = {call_proxy(&s, ""), call_proxy(&s, "GET ")};
    int third = call_proxy(&s, "GET http://b.org/ HTTP/1.1\r\n\r\n");
    hear(silent[0], text);
    assert_non_null(strstr(text, "HTTP/1.1 408 "));
    hear(silent[1], text);
    assert_non_null(strstr(text, "HTTP/1.1 408 "));
    hear(third, text);
    assert_non_null(strstr(text, "HTTP/1.1 403 "));
    assert_int_equal(atomic_load(&s.book->moved), 4 + 30);
    finish(&s);
}

static void test_cap(void **state)
{
    struct egress_config c = config_of("a.org");
    struct served s;
    char text[1200];
    char word = 0;
    int status;
    (void)state;
    serve(&s, &c);
    memset(text, 'x', sizeof(text));
    text[1000] = '\0';
    int fd = call_proxy(&s, text);
    assert_int_equal(send(fd, "y", 1, MSG_NOSIGNAL), 1);
    assert_int_equal(recv(s.control, &word, 1, 0), 1);
    assert_int_equal(word, 'L');
    assert_true(atomic_load(&s.book->over));
    assert_int_equal(atomic_load(&s.book->moved), 1000);
    assert_int_equal(waitpid(s.pid, &status, 0), s.pid);
    close(fd);
    close(s.control);
    munmap(s.book, sizeof(*s.book));
}

/* ---- what a provider agrees to ---- */

static const char *judged(const char *mode, const char *hosts, const char *member)
{
    static struct err err;
    struct options o = {
        .egress = mode, .egress_hosts = hosts, .private_egress = "", .egress_mb = 1};
    struct egress_terms t;
    struct manifest m = {.egress = json_loads(member, 0, NULL)};
    err = (struct err){.code = E_OK};
    enum err_code rc = egress_terms_read(&o, &t, &err);
    if (rc == E_OK)
        rc = egress_terms_agree(&t, &m, &err);
    json_decref((json_t *)(uintptr_t)m.egress);
    return rc == E_OK ? NULL : err.text;
}

static void test_terms(void **state)
{
    static const char small[] = "{\"hosts\":[\"a.org\",\"*.b.org\"],\"max_bytes\":1048576}";
    static const char large[] = "{\"hosts\":[\"a.org\"],\"max_bytes\":1048577}";
    (void)state;
    assert_null(judged("listed", "a.org, *.b.org", small));
    assert_non_null(strstr(judged("none", "a.org,*.b.org", small), "OGPU_EGRESS is none"));
    assert_non_null(strstr(judged("listed", "a.org,x.b.org", small), "'*.b.org'"));
    assert_non_null(strstr(judged("listed", "a.org", large), "OGPU_EGRESS_MB"));
    assert_non_null(strstr(judged("listed", "", small), "needs hosts"));
    assert_non_null(strstr(judged("some", "a.org", small), "none or listed"));
    assert_non_null(strstr(judged("listed", "a.org,10.0.0.1", small), "10.0.0.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_heads), cmocka_unit_test(test_bad_heads),
        cmocka_unit_test(test_patience),   cmocka_unit_test(test_cap),
        cmocka_unit_test(test_terms),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
