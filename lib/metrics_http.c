/* SPDX-License-Identifier: MIT */
#include "lib/metrics_http.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"

#define REQUEST_MAX 4096
#define BODY_MAX    ((size_t)8 << 20)
#define PATIENCE_US 2000000
#define TICK_MS     200

static bool ready(int fd, short events, int64_t deadline)
{
    struct pollfd row = {.fd = fd, .events = events};
    int64_t left = (deadline - clock_mono_us()) / 1000;

    return left > 0 && poll(&row, 1, (int)left) == 1;
}

/* All of a request's head. @return false when it did not come in time */
static bool read_head(int fd, char out[REQUEST_MAX], int64_t deadline)
{
    size_t n = 0;

    while (n < REQUEST_MAX - 1 && ready(fd, POLLIN, deadline)) {
        ssize_t got = recv(fd, out + n, REQUEST_MAX - 1 - n, 0);

        if (got <= 0)
            return false;
        n += (size_t)got;
        out[n] = '\0';
        if (strstr(out, "\r\n\r\n"))
            return true;
    }
    return false;
}

static void send_all(int fd, const struct buf *b, int64_t deadline)
{
    size_t at = 0;

    while (at < b->n && ready(fd, POLLOUT, deadline)) {
        ssize_t put = send(fd, b->p + at, b->n - at, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (put < 0 && errno != EAGAIN)
            return;
        at += put > 0 ? (size_t)put : 0;
    }
}

static void serve(const struct metrics_http *m, int fd)
{
    static const char wanted[] = "GET /metrics ";
    int64_t deadline = clock_mono_us() + PATIENCE_US;
    struct buf head = {.cap = 512};
    struct buf body = {.cap = BODY_MAX};
    const char *status = "404 Not Found";
    char request[REQUEST_MAX];

    if (!read_head(fd, request, deadline))
        return;
    if (strncmp(request, wanted, sizeof(wanted) - 1) == 0) {
        struct err err;
        bool filled = m->fill(m->ctx, &body, &err) == E_OK;

        status = filled ? "200 OK" : "500 Internal Server Error";
        body.n = filled ? body.n : 0; /* no half of a text */
    }
    if (buf_printf(&head, NULL,
                   "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4\r\n"
                   "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                   status, body.n) == E_OK) {
        send_all(fd, &head, deadline);
        send_all(fd, &body, deadline);
    }
    buf_done(&head);
    buf_done(&body);
}

static void *loop(void *arg)
{
    struct metrics_http *m = arg;

    while (!atomic_load(&m->over)) {
        struct pollfd row = {.fd = m->fd, .events = POLLIN};
        /* cppcheck-suppress nullPointer ; both NULLs say that nobody asks who calls */
        int fd = poll(&row, 1, TICK_MS) == 1 ? accept4(m->fd, NULL, NULL, SOCK_CLOEXEC) : -1;

        if (fd < 0)
            continue;
        serve(m, fd);
        close(fd);
    }
    return NULL;
}

enum err_code metrics_http_open(struct metrics_http *m, const char *option, const char *at,
                                struct err *err)
{
    const struct addrinfo want = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
                                  .ai_socktype = SOCK_STREAM};
    const char *colon = strrchr(at, ':');
    struct addrinfo *found = NULL;
    char host[64];
    int on = 1;
    int saved;
    int fd;

    m->fd = -1;
    if (!colon || (size_t)(colon - at) >= sizeof(host))
        return err_set(err, E_CONFIG, "%s must be host:port", option);
    snprintf(host, sizeof(host), "%.*s", (int)(colon - at), at);
    if (getaddrinfo(host, colon + 1, &want, &found) != 0)
        return err_set(err, E_CONFIG, "%s must be a numeric host:port", option);
    /* Who asked and went away before accept() must not keep the thread there. */
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd >= 0 && bind(fd, found->ai_addr, found->ai_addrlen) == 0 && listen(fd, 16) == 0)
        m->fd = fd;
    saved = errno;
    freeaddrinfo(found);
    if (m->fd >= 0)
        return E_OK;
    if (fd >= 0)
        close(fd);
    return err_set(err, E_CONFIG, "%s: cannot listen at %.80s: %s", option, at, strerror(saved));
}

enum err_code metrics_http_start(struct metrics_http *m, metrics_fill fill, void *ctx,
                                 struct err *err)
{
    int rc;

    m->fill = fill;
    m->ctx = ctx;
    rc = pthread_create(&m->thread, NULL, loop, m);
    if (rc != 0)
        return err_set(err, E_INTERNAL, "no thread: %s", strerror(rc));
    m->runs = true;
    return E_OK;
}

void metrics_http_close(struct metrics_http *m)
{
    atomic_store(&m->over, true);
    if (m->runs)
        pthread_join(m->thread, NULL);
    if (m->fd >= 0)
        close(m->fd);
    m->runs = false;
    m->fd = -1;
}
