/* SPDX-License-Identifier: MIT */
#include "tests/support/fake_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SAYINGS 32
#define HEARD   ((size_t)2 << 20)

struct saying {
    enum { SAY, DROP, HANG } what;
    char *bytes;
    size_t n;
};

struct peer {
    pthread_t thread;
    pthread_mutex_t lock;
    int listener;
    int wake[2];
    char url[64];
    struct saying queue[SAYINGS];
    int head;
    int tail;
    char *heard;
    int requests;
    int connections;
};

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    perror(what);
    abort();
}

/* Wait until fd can be read. @return false when the peer is to stop */
static bool readable(struct peer *p, int fd)
{
    struct pollfd f[2] = {{fd, POLLIN, 0}, {p->wake[0], POLLIN, 0}};

    while (poll(f, 2, -1) < 0)
        must(errno == EINTR, "poll");
    return f[1].revents == 0;
}

static size_t body_length(const char *headers)
{
    const char *s = strcasestr(headers, "\r\ncontent-length:");

    return s ? strtoul(s + 17, NULL, 10) : 0;
}

/* One whole request into p->heard. @return false at the end of the connection */
static bool hear(struct peer *p, int fd)
{
    size_t n = 0;

    for (;;) {
        ssize_t got;
        char *end;

        if (!readable(p, fd))
            return false;
        pthread_mutex_lock(&p->lock);
        got = read(fd, p->heard + n, HEARD - 1 - n);
        if (got > 0)
            p->heard[n += (size_t)got] = '\0';
        pthread_mutex_unlock(&p->lock);
        if (got <= 0)
            return false;
        end = strstr(p->heard, "\r\n\r\n");
        if (end && n >= (size_t)(end + 4 - p->heard) + body_length(p->heard))
            return true;
    }
}

/* @return false when the connection is to be closed */
static bool answer(struct peer *p, int fd)
{
    struct saying s = {.what = DROP};

    pthread_mutex_lock(&p->lock);
    p->requests++;
    if (p->head != p->tail)
        s = p->queue[p->head++ % SAYINGS];
    pthread_mutex_unlock(&p->lock);
    for (size_t at = 0; s.what == SAY && at < s.n;) {
        ssize_t done = send(fd, s.bytes + at, s.n - at, MSG_NOSIGNAL);

        if (done <= 0)
            break; /* the caller hung up: that may be what is tested */
        at += (size_t)done;
    }
    free(s.bytes);
    if (s.what == HANG)
        readable(p, fd);
    return s.what == SAY;
}

static void *serve(void *arg)
{
    struct peer *p = arg;

    while (readable(p, p->listener)) {
        int fd = accept(p->listener, NULL, NULL);

        must(fd >= 0, "accept");
        pthread_mutex_lock(&p->lock);
        p->connections++;
        pthread_mutex_unlock(&p->lock);
        while (hear(p, fd) && answer(p, fd))
            ;
        close(fd);
    }
    return NULL;
}

struct peer *peer_start(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(a);
    struct peer *p = calloc(1, sizeof(*p));

    must(p && (p->heard = calloc(1, HEARD)), "memory");
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(p->listener >= 0 && bind(p->listener, (struct sockaddr *)&a, len) == 0 &&
             listen(p->listener, 8) == 0 &&
             getsockname(p->listener, (struct sockaddr *)&a, &len) == 0 && pipe(p->wake) == 0,
         "listen");
    snprintf(p->url, sizeof(p->url), "http://127.0.0.1:%u", ntohs(a.sin_port));
    pthread_mutex_init(&p->lock, NULL);
    must(pthread_create(&p->thread, NULL, serve, p) == 0, "thread");
    return p;
}

void peer_stop(struct peer *p)
{
    must(write(p->wake[1], "x", 1) == 1, "wake");
    pthread_join(p->thread, NULL);
    while (p->head != p->tail)
        free(p->queue[p->head++ % SAYINGS].bytes);
    close(p->wake[0]);
    close(p->wake[1]);
    close(p->listener);
    pthread_mutex_destroy(&p->lock);
    free(p->heard);
    free(p);
}

const char *peer_url(const struct peer *p)
{
    return p->url;
}

static void push(struct peer *p, struct saying s)
{
    pthread_mutex_lock(&p->lock);
    must(p->tail - p->head < SAYINGS, "too many sayings");
    p->queue[p->tail++ % SAYINGS] = s;
    pthread_mutex_unlock(&p->lock);
}

void peer_say_raw(struct peer *p, const char *bytes, size_t n)
{
    struct saying s = {SAY, malloc(n + 1), n};

    must(s.bytes, "memory");
    memcpy(s.bytes, bytes, n);
    push(p, s);
}

void peer_say(struct peer *p, const char *json)
{
    char *raw;
    int n = asprintf(&raw,
                     "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\n\r\n%s",
                     strlen(json), json);

    must(n > 0, "memory");
    peer_say_raw(p, raw, (size_t)n);
    free(raw);
}

void peer_drop(struct peer *p)
{
    push(p, (struct saying){.what = DROP});
}

void peer_hang(struct peer *p)
{
    push(p, (struct saying){.what = HANG});
}

const char *peer_heard(struct peer *p)
{
    return p->heard;
}

static int locked(struct peer *p, const int *n)
{
    int out;

    pthread_mutex_lock(&p->lock);
    out = *n;
    pthread_mutex_unlock(&p->lock);
    return out;
}

int peer_requests(struct peer *p)
{
    return locked(p, &p->requests);
}

int peer_connections(struct peer *p)
{
    return locked(p, &p->connections);
}
