/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/load/load.h"
#include "lib/clock.h"

#define EVENTS   256
#define TICK_MS  100
#define OUT_ROOM 8192
#define IN_FIRST 16384
#define IN_MAX   (1 << 20)

bool load_counts(const struct load *l, int64_t began_us)
{
    return began_us >= l->counted_us;
}

bool load_may_begin(const struct load *l)
{
    if (l->opt.requests && l->begun >= l->opt.requests)
        return false;
    return !l->stop_us || clock_mono_us() < l->stop_us;
}

/* splitmix64 */
uint64_t load_random(struct load *l)
{
    uint64_t z = (l->seed += 0x9e3779b97f4a7c15U);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

void request_begin(struct conn *c, const char *method, const char *path, const char *auth,
                   const char *extra)
{
    int n =
        snprintf(c->out, OUT_ROOM, "%s %s HTTP/1.1\r\nHost: load\r\n%s%s%s%s", method, path,
                 auth ? "Authorization: Bearer " : "", auth ? auth : "", auth ? "\r\n" : "", extra);

    c->out_n = (size_t)n;
    c->out_at = 0;
}

void request_end(struct conn *c, const char *media_type, const void *p, size_t n)
{
    int head = media_type
                   ? snprintf(c->out + c->out_n, OUT_ROOM - c->out_n,
                              "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n", media_type, n)
                   : snprintf(c->out + c->out_n, OUT_ROOM - c->out_n, "\r\n");

    c->out_n += (size_t)head;
    if (c->out_n + n > OUT_ROOM)
        abort();
    if (n > 0)
        memcpy(c->out + c->out_n, p, n);
    c->out_n += n;
}

static bool open_conn(struct load *l, struct conn *c)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = c};
    int one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&l->to, sizeof(l->to)) != 0)
        return false;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    c->answered_any = false;
    c->in_n = 0;
    return epoll_ctl(l->epoll, EPOLL_CTL_ADD, c->fd, &e) == 0;
}

static void flush(struct conn *c)
{
    while (c->fd >= 0 && c->out_at < c->out_n) {
        ssize_t n =
            send(c->fd, c->out + c->out_at, c->out_n - c->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* full: EPOLLOUT comes; broken: the read tells */
        c->out_at += (size_t)n;
    }
}

static void send_request(struct conn *c)
{
    c->sent_us = clock_mono_us();
    c->retried = false;
    flush(c);
}

static void begin_unit(struct load *l, struct conn *c)
{
    if (c->fd < 0 || !l->opt.traffic->next(l, c))
        return;
    l->begun++;
    send_request(c);
}

static void end_unit(struct load *l, struct conn *c)
{
    c->phase = PHASE_IDLE;
    c->sent_us = 0;
    c->out_n = 0;
    l->ended++;
    l->end_us = clock_mono_us();
}

/* The server closed. An idle keep-alive connection may be closed at any time (RFC 9112 9.5): what
 * was sent at that moment is sent once more. */
static void broken(struct load *l, struct conn *c)
{
    close(c->fd);
    c->fd = -1;
    if (!open_conn(l, c)) {
        if (c->fd >= 0)
            close(c->fd);
        c->fd = -1;
    }
    l->stats.reconnects++;
    if (!c->sent_us) {
        begin_unit(l, c);
        return;
    }
    if (c->fd >= 0 && c->in_n == 0 && !c->retried) {
        c->retried = true;
        c->out_at = 0;
        flush(c);
        return;
    }
    l->stats.lost++;
    end_unit(l, c);
    begin_unit(l, c);
}

struct head {
    int status;
    size_t size; /* with the empty line */
    size_t body;
    bool close;
};

/* @return false while the head is not complete */
static bool read_head(struct conn *c, struct head *h)
{
    char *end = memmem(c->in, c->in_n, "\r\n\r\n", 4);
    char *line;

    if (!end)
        return false;
    *end = '\0'; /* put back by nobody: the head is read once */
    *h = (struct head){.size = (size_t)(end - c->in) + 4};
    h->status = c->in_n > 12 ? atoi(c->in + 9) : 0;
    for (line = strstr(c->in, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, "content-length:", 15) == 0)
            h->body = strtoul(line + 15, NULL, 10);
        else if (strncasecmp(line, "connection: close", 17) == 0)
            h->close = true;
    }
    *end = '\r';
    return true;
}

static void answered(struct load *l, struct conn *c, const struct head *h)
{
    int64_t sent = c->sent_us;

    l->stats.by_status[h->status >= 0 && h->status < 600 ? h->status : 0]++;
    c->answered_any = true;
    l->opt.traffic->answer(l, c, h->status, c->in + h->size, h->body);
    c->in_n = 0;
    if (h->close) {
        close(c->fd);
        c->fd = -1;
        l->stats.reconnects++;
        if (!open_conn(l, c)) {
            l->stats.lost += c->phase != PHASE_IDLE;
            c->phase = PHASE_IDLE;
        }
    }
    if (c->phase != PHASE_IDLE) {
        send_request(c);
        return;
    }
    c->sent_us = sent;
    end_unit(l, c);
    begin_unit(l, c);
}

/* @return false when nothing more can be read now */
static bool fill(struct load *l, struct conn *c)
{
    ssize_t n;

    if (c->in_n == c->in_cap && c->in_cap < IN_MAX) {
        c->in_cap = c->in_cap ? 2 * c->in_cap : IN_FIRST;
        c->in = realloc(c->in, c->in_cap);
        if (!c->in)
            abort();
    }
    n = recv(c->fd, c->in + c->in_n, c->in_cap - c->in_n, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR)
        return true;
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return false;
    if (n <= 0) {
        broken(l, c);
        return false;
    }
    c->in_n += (size_t)n;
    return true;
}

static void ready(struct load *l, struct conn *c)
{
    if (c->fd < 0)
        return;
    flush(c);
    while (c->fd >= 0 && fill(l, c)) {
        struct head h;

        if (read_head(c, &h) && c->in_n >= h.size + h.body)
            answered(l, c, &h);
    }
}

static void find_hung(struct load *l)
{
    int64_t limit = clock_mono_us() - (int64_t)(l->opt.hang_s * 1e6);

    for (uint32_t i = 0; i < l->opt.connections; i++) {
        struct conn *c = &l->conns[i];

        if (!c->sent_us || c->sent_us > limit)
            continue;
        l->stats.hung++;
        close(c->fd);
        c->fd = -1;
        end_unit(l, c);
    }
}

static bool connect_all(struct load *l)
{
    for (uint32_t i = 0; i < l->opt.connections; i++) {
        struct conn *c = &l->conns[i];

        *c = (struct conn){.fd = -1, .number = i, .turn = i, .in_cap = IN_FIRST};
        c->in = malloc(IN_FIRST);
        c->out = malloc(OUT_ROOM);
        if (!c->in || !c->out)
            abort();
        if (!open_conn(l, c)) {
            fprintf(stderr, "load: cannot connect: %s\n", strerror(errno));
            return false;
        }
    }
    return true;
}

static void disconnect_all(struct load *l)
{
    for (uint32_t i = 0; i < l->opt.connections; i++) {
        if (l->conns[i].fd >= 0)
            close(l->conns[i].fd);
        free(l->conns[i].in);
        free(l->conns[i].out);
    }
}

static void run(struct load *l)
{
    struct epoll_event events[EVENTS];
    int64_t checked;

    l->start_us = checked = clock_mono_us();
    l->end_us = l->start_us;
    l->counted_us = l->start_us + (int64_t)(l->opt.warmup_s * 1e6);
    if (l->opt.seconds > 0)
        l->stop_us = l->counted_us + (int64_t)(l->opt.seconds * 1e6);
    for (uint32_t i = 0; i < l->opt.connections; i++)
        begin_unit(l, &l->conns[i]);
    while (l->ended < l->begun) {
        int n = epoll_wait(l->epoll, events, EVENTS, TICK_MS);
        int64_t now = clock_mono_us();

        for (int i = 0; i < n; i++)
            ready(l, events[i].data.ptr);
        if (now - checked > 1000000) {
            find_hung(l);
            checked = now;
        }
    }
}

bool load_run(struct load *l)
{
    bool ok;

    l->to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(l->opt.port)};
    if (inet_pton(AF_INET, l->opt.host, &l->to.sin_addr) != 1) {
        fprintf(stderr, "load: %s is not a numeric address\n", l->opt.host);
        return false;
    }
    l->seed = (uint64_t)clock_wall_us();
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->conns = calloc(l->opt.connections, sizeof(*l->conns));
    if (l->epoll < 0 || !l->conns)
        abort();
    ok = connect_all(l);
    if (ok)
        run(l);
    disconnect_all(l);
    free(l->conns);
    close(l->epoll);
    return ok;
}
