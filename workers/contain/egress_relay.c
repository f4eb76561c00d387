/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"
#include "workers/contain/egress_proxy.h"

#define LINGER_MS    1000
#define LINGER_BYTES 65536

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- both directions ---- */

/* @return false when the connection is over */
static bool receive(struct egress_meter *m, struct egress_flow *f)
{
    size_t room = EGRESS_BUFFER;
    if (f->budget >= 0 && (uint64_t)f->budget < room)
        room = (size_t)f->budget;
    ssize_t n = egress_take(m, f->from, f->p, room);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    f->at = 0;
    f->n = (size_t)n;
    if (f->budget >= 0)
        f->budget -= n;
    f->open = n > 0 && f->budget != 0;
    if (n == 0)
        shutdown(f->to, SHUT_WR);
    return true;
}

/* @return false when the connection is over */
static bool pass_on(struct egress_flow *f)
{
    ssize_t n = send(f->to, f->p + f->at, f->n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    f->at += (size_t)n;
    f->n -= (size_t)n;
    return true;
}

static void rows_of(const struct egress_flow *f, struct pollfd *rows)
{
    rows[0] = (struct pollfd){.fd = f->n == 0 && f->open ? f->from : -1, .events = POLLIN};
    rows[1] = (struct pollfd){.fd = f->n > 0 ? f->to : -1, .events = POLLOUT};
}

static bool turn(struct egress_meter *m, struct egress_flow *f, const struct pollfd *rows)
{
    if (rows[0].fd >= 0 && rows[0].revents)
        return receive(m, f);
    return !(rows[1].fd >= 0 && rows[1].revents) || pass_on(f);
}

void egress_relay(const struct egress_config *c, struct egress_meter *m, struct egress_flow *up,
                  struct egress_flow *down, int64_t end_us)
{
    bool tunnel = up->budget < 0;
    for (;;) {
        struct pollfd rows[4];
        int64_t wait = earlier(c->times.idle, (end_us - clock_mono_us()) / 1000);
        bool done = !down->open && down->n == 0 && (!tunnel || (!up->open && up->n == 0));
        if (done || wait <= 0)
            return;
        rows_of(up, rows);
        rows_of(down, rows + 2);
        int n = poll(rows, 4, (int)wait);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || !turn(m, up, rows) || !turn(m, down, rows + 2))
            return;
    }
}

/* ---- one connection ---- */

static const char *phrase(int status)
{
    static const struct {
        int status;
        const char *text;
    } known[] = {{400, "Bad Request"},
                 {403, "Forbidden"},
                 {408, "Request Timeout"},
                 {411, "Length Required"},
                 {431, "Request Header Fields Too Large"},
                 {502, "Bad Gateway"}};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (known[i].status == status)
            return known[i].text;
    }
    return "Refused";
}

/* Hanging up on bytes that nobody read would take the answer with it. */
static void linger(struct egress_meter *m, int fd)
{
    char bytes[4096];
    int64_t end = clock_mono_us() + (int64_t)LINGER_MS * 1000;
    shutdown(fd, SHUT_WR);
    for (size_t got = 0; got < LINGER_BYTES;) {
        struct pollfd row = {.fd = fd, .events = POLLIN};
        int64_t left = (end - clock_mono_us()) / 1000;
        if (left <= 0 || poll(&row, 1, (int)left) != 1)
            return;
        ssize_t n = egress_take(m, fd, bytes, sizeof(bytes));
        if (n <= 0)
            return;
        got += (size_t)n;
    }
}

static void turn_away(struct egress_meter *m, int fd, const struct egress_refusal *no)
{
    char text[512];
    int n = snprintf(text, sizeof(text),
                     "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n%s\n",
                     no->status, phrase(no->status), strlen(no->why) + 1, no->why);
    if (send(fd, text, (size_t)n, MSG_NOSIGNAL) == n)
        linger(m, fd);
}

/* The head, and what came with it. @return bytes of the head; 0 with `no`, whose status is 0 when
 * there is nobody to tell */
static size_t hear_head(const struct egress_config *c, struct egress_meter *m, int fd, char *bytes,
                        size_t *got, struct egress_refusal *no)
{
    int64_t end = clock_mono_us() + c->times.head * 1000;
    *got = 0;
    while (*got < EGRESS_HEAD_MAX) {
        struct pollfd row = {.fd = fd, .events = POLLIN};
        int64_t left = (end - clock_mono_us()) / 1000;
        if (left <= 0 || poll(&row, 1, (int)left) == 0) {
            *no = (struct egress_refusal){408, "the request does not come to an end"};
            return 0;
        }
        ssize_t n = egress_take(m, fd, bytes + *got, EGRESS_HEAD_MAX - *got);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (n <= 0) {
            no->status = 0;
            return 0;
        }
        *got += (size_t)n;
        const char *blank = memmem(bytes, *got, "\r\n\r\n", 4);
        if (blank)
            return (size_t)(blank + 4 - bytes);
    }
    *no = (struct egress_refusal){431, "the head is too large"};
    return 0;
}

static bool is_listed(const struct egress_config *c, const struct egress_request *q)
{
    for (size_t i = 0; i < c->count; i++) {
        if (egress_host_allows(&c->hosts[i], q->host, q->port))
            return true;
    }
    return false;
}

/* The first bytes for the host: the head as it gets it, then the body's that came already. No more:
 * what follows a request on the same connection would be another one. */
static bool fill_up(struct egress_flow *up, const struct egress_request *q,
                    const struct buf *forward, const char *rest, size_t n)
{
    if (!q->tunnel && (uint64_t)q->length < n)
        n = (size_t)q->length;
    if (forward->n + n > EGRESS_BUFFER)
        return false;
    if (forward->n > 0)
        memcpy(up->p, forward->p, forward->n);
    memcpy(up->p + forward->n, rest, n);
    up->n = forward->n + n;
    up->budget = q->tunnel ? -1 : q->length - (int64_t)n;
    up->open = up->budget != 0;
    return true;
}

/* What serves one connection. */
struct room {
    char head[EGRESS_HEAD_MAX];
    uint8_t up[EGRESS_BUFFER];
    uint8_t down[EGRESS_BUFFER];
    struct buf forward;
};

/* @return false with `no` */
static bool serve(const struct egress_config *c, struct egress_meter *m, int fd, struct room *r,
                  struct egress_refusal *no)
{
    static const char welcome[] = "HTTP/1.1 200 Connection established\r\n\r\n";
    struct egress_request q;
    int64_t end = clock_mono_us() + c->times.total * 1000;
    size_t got;
    size_t head = hear_head(c, m, fd, r->head, &got, no);
    if (head == 0 || !egress_head_read(r->head, head, &q, &r->forward, no))
        return false;
    *no = (struct egress_refusal){403, "the host is not on this source's list"};
    if (!is_listed(c, &q))
        return false;
    int host = egress_dial(c, q.host, q.port, no);
    if (host < 0)
        return false;
    struct egress_flow up = {.from = fd, .to = host, .p = r->up};
    struct egress_flow down = {.from = host, .to = fd, .p = r->down, .budget = -1, .open = true};
    bool ok = fill_up(&up, &q, &r->forward, r->head + head, got - head);
    if (q.tunnel)
        ok = ok && send(fd, welcome, sizeof(welcome) - 1, MSG_NOSIGNAL) > 0;
    if (ok)
        egress_relay(c, m, &up, &down, end);
    close(host);
    return true;
}

void egress_serve_one(const struct egress_config *c, struct egress_meter *m, int fd)
{
    struct egress_refusal no = {0, ""};
    struct room *r = calloc(1, sizeof(*r));
    if (r) {
        r->forward.cap = (size_t)2 * EGRESS_HEAD_MAX;
        if (!serve(c, m, fd, r, &no) && no.status != 0)
            turn_away(m, fd, &no);
        buf_done(&r->forward);
        free(r);
    }
    close(fd);
}
