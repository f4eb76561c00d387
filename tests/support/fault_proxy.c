/* SPDX-License-Identifier: MIT */
#include "fault_proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PAIRS_MAX 256
#define CHUNK     65536

struct stream {
    unsigned char *p;
    size_t n;
    size_t room;
};

struct pair {
    int client; /* -1: free slot */
    int server;
    struct pg_follow follow;
    struct stream in;   /* from the client, not looked at yet */
    struct stream out;  /* to the server, not sent yet */
    struct stream back; /* to the client, not sent yet */
    bool mute;          /* COMMIT went through: the client hears nothing any more */
    bool linger;        /* let the server answer before the reset */
    struct timespec muted_at;
};

struct fault_proxy {
    pthread_t thread;
    struct sockaddr_storage to;
    socklen_t to_n;
    int listener;
    int port;
    int bell[2]; /* a byte: look at the settings; closed: end */
    atomic_int fault;
    atomic_int times; /* < 0: without end */
    atomic_int delay_ms;
    atomic_int cuts;
    atomic_bool cut_now;
    struct pair pairs[PAIRS_MAX];
};

static void append(struct stream *s, const void *p, size_t n)
{
    if (s->n + n > s->room) {
        s->room = 2 * (s->n + n);
        s->p = realloc(s->p, s->room);
        if (!s->p) {
            abort();
        }
    }
    memcpy(s->p + s->n, p, n);
    s->n += n;
}

static void consume(struct stream *s, size_t n)
{
    s->n -= n;
    memmove(s->p, s->p + n, s->n);
}

static void stream_free(struct stream *s)
{
    free(s->p);
    *s = (struct stream){0};
}

static void reset_fd(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(fd);
}

static void drop(struct pair *x)
{
    reset_fd(x->client);
    /* The server finishes what it has got: a plain end, as a dying host's kernel would send. */
    close(x->server);
    stream_free(&x->in);
    stream_free(&x->out);
    stream_free(&x->back);
    *x = (struct pair){.client = -1, .server = -1};
}

/* One of the cuts that were asked for. @return false when they are used up */
static bool spend(struct fault_proxy *p)
{
    int left = atomic_load(&p->times);

    if (left == 0) {
        return false;
    }
    if (left > 0 && atomic_fetch_sub(&p->times, 1) == 1) {
        atomic_store(&p->fault, FAULT_NONE);
    }
    return true;
}

/* @return false: the pair is gone */
static bool look(struct fault_proxy *p, struct pair *x)
{
    size_t pass;
    enum pg_event event;

    while (x->in.n > 0 &&
           (event = pg_follow(&x->follow, x->in.p, x->in.n, &pass)) != PG_NEED_MORE) {
        if (event == PG_COMMIT && atomic_load(&p->fault) == FAULT_CUT_BEFORE_COMMIT && spend(p)) {
            atomic_fetch_add(&p->cuts, 1);
            drop(x);
            return false;
        }
        if (event == PG_COMMIT && atomic_load(&p->fault) == FAULT_CUT_AFTER_COMMIT && spend(p)) {
            x->mute = true;
            x->linger = atomic_fetch_add(&p->cuts, 1) % 2 == 0;
            clock_gettime(CLOCK_MONOTONIC, &x->muted_at);
        }
        append(&x->out, x->in.p, pass);
        consume(&x->in, pass);
    }
    return true;
}

static void accept_pair(struct fault_proxy *p)
{
    // cppcheck-suppress nullPointer ; no address is asked for
    int client = accept4(p->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    int one = 1;

    if (client < 0) {
        return;
    }
    for (size_t i = 0; atomic_load(&p->fault) != FAULT_REFUSE && i < PAIRS_MAX; i++) {
        struct pair *x = &p->pairs[i];

        if (x->client < 0) {
            x->server = socket(p->to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
            if (connect(x->server, (struct sockaddr *)&p->to, p->to_n) != 0) {
                close(x->server);
                x->server = -1;
                break;
            }
            (void)fcntl(x->server, F_SETFL, O_NONBLOCK);
            setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
            setsockopt(x->server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
            x->client = client;
            return;
        }
    }
    reset_fd(client);
}

/* @return false: the other side is gone */
static bool flush(int fd, struct stream *s)
{
    ssize_t n = s->n > 0 ? send(fd, s->p, s->n, MSG_NOSIGNAL) : 0;

    if (n > 0) {
        consume(s, (size_t)n);
    }
    return n >= 0 || errno == EAGAIN;
}

static bool receive(struct fault_proxy *p, int fd, struct stream *s)
{
    static _Thread_local unsigned char chunk[CHUNK];
    ssize_t n = recv(fd, chunk, sizeof(chunk), 0);
    int ms = atomic_load(&p->delay_ms);

    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        return false;
    }
    if (n > 0) {
        if (ms > 0) {
            (void)nanosleep(&(struct timespec){.tv_nsec = ms * 1000000L}, NULL);
        }
        append(s, chunk, (size_t)n);
    }
    return true;
}

/* A COMMIT went out and its answer must not come back: end the pair once the server has it. */
static bool end_muted(struct pair *x, bool answered)
{
    struct timespec now;
    int64_t ms;

    if (x->out.n > 0 || x->in.n > 0 || x->follow.committing || x->follow.rest > 0) {
        return false;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    ms = (now.tv_sec - x->muted_at.tv_sec) * 1000 + (now.tv_nsec - x->muted_at.tv_nsec) / 1000000;
    return !x->linger || answered || ms > 300;
}

static void serve_pair(struct fault_proxy *p, struct pair *x, short client, short server)
{
    bool hang = atomic_load(&p->fault) == FAULT_HANG;
    bool answered = false;

    if (atomic_load(&p->fault) == FAULT_REFUSE) {
        drop(x);
        return;
    }
    if (client && !receive(p, x->client, &x->in)) {
        drop(x);
        return;
    }
    if (server && !receive(p, x->server, &x->back)) {
        (void)flush(x->client, &x->back);
        drop(x);
        return;
    }
    if (hang) {
        return;
    }
    if (!look(p, x)) {
        return;
    }
    if (x->mute) {
        answered = x->back.n > 0;
        x->back.n = 0;
    }
    if (!flush(x->server, &x->out) || !flush(x->client, &x->back) ||
        (x->mute && end_muted(x, answered))) {
        drop(x);
    }
}

static size_t gather(struct fault_proxy *p, struct pollfd *fds)
{
    size_t n = 0;

    fds[n++] = (struct pollfd){.fd = p->bell[0], .events = POLLIN};
    fds[n++] = (struct pollfd){.fd = p->listener, .events = POLLIN};
    for (size_t i = 0; i < PAIRS_MAX; i++) {
        struct pair *x = &p->pairs[i];

        if (x->client >= 0) {
            short back = (short)(x->back.n > 0 ? POLLIN | POLLOUT : POLLIN);
            short out = (short)(x->out.n > 0 ? POLLIN | POLLOUT : POLLIN);

            fds[n++] = (struct pollfd){.fd = x->client, .events = back};
            fds[n++] = (struct pollfd){.fd = x->server, .events = out};
        }
    }
    return n;
}

static struct pair *pair_of(struct fault_proxy *p, int client)
{
    for (size_t i = 0; i < PAIRS_MAX; i++) {
        if (p->pairs[i].client == client) {
            return &p->pairs[i];
        }
    }
    return NULL;
}

static void *proxy_main(void *arg)
{
    static _Thread_local struct pollfd fds[2 + 2 * PAIRS_MAX];
    struct fault_proxy *p = arg;
    char byte;

    for (;;) {
        size_t n = gather(p, fds);

        (void)poll(fds, n, 50);
        if (fds[0].revents && read(p->bell[0], &byte, 1) <= 0) {
            break;
        }
        if (atomic_exchange(&p->cut_now, false)) {
            for (size_t i = 0; i < PAIRS_MAX; i++) {
                if (p->pairs[i].client >= 0) {
                    drop(&p->pairs[i]);
                }
            }
            continue;
        }
        for (size_t i = 2; i < n; i += 2) {
            struct pair *x = pair_of(p, fds[i].fd);

            if (x) {
                serve_pair(p, x, fds[i].revents, fds[i + 1].revents);
            }
        }
        if (fds[1].revents) {
            accept_pair(p);
        }
    }
    return NULL;
}

static bool listen_somewhere(struct fault_proxy *p)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(at);

    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (p->listener < 0 || bind(p->listener, (struct sockaddr *)&at, sizeof(at)) != 0 ||
        listen(p->listener, 128) != 0 ||
        getsockname(p->listener, (struct sockaddr *)&at, &n) != 0) {
        return false;
    }
    p->port = ntohs(at.sin_port);
    return true;
}

struct fault_proxy *fault_proxy_open(const char *host, int port)
{
    struct fault_proxy *p = calloc(1, sizeof(*p));
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char service[16];

    if (!p) {
        abort();
    }
    snprintf(service, sizeof(service), "%d", port);
    for (size_t i = 0; i < PAIRS_MAX; i++) {
        p->pairs[i].client = p->pairs[i].server = -1;
    }
    if (getaddrinfo(host, service, &hints, &found) != 0 || !listen_somewhere(p) ||
        pipe2(p->bell, O_CLOEXEC) != 0) {
        free(p);
        return NULL;
    }
    memcpy(&p->to, found->ai_addr, found->ai_addrlen);
    p->to_n = found->ai_addrlen;
    freeaddrinfo(found);
    if (pthread_create(&p->thread, NULL, proxy_main, p) != 0) {
        free(p);
        return NULL;
    }
    return p;
}

int fault_proxy_port(const struct fault_proxy *p)
{
    return p->port;
}

static void ring(struct fault_proxy *p)
{
    (void)!write(p->bell[1], "", 1);
}

void fault_proxy_set(struct fault_proxy *p, enum fault fault, int times)
{
    atomic_store(&p->times, times == 0 ? -1 : times);
    atomic_store(&p->fault, (int)fault);
    ring(p);
}

void fault_proxy_delay(struct fault_proxy *p, int ms)
{
    atomic_store(&p->delay_ms, ms);
}

void fault_proxy_cut(struct fault_proxy *p)
{
    atomic_store(&p->cut_now, true);
    ring(p);
}

int fault_proxy_cuts(struct fault_proxy *p)
{
    return atomic_load(&p->cuts);
}

void fault_proxy_close(struct fault_proxy *p)
{
    close(p->bell[1]);
    pthread_join(p->thread, NULL);
    for (size_t i = 0; i < PAIRS_MAX; i++) {
        if (p->pairs[i].client >= 0) {
            drop(&p->pairs[i]);
        }
    }
    close(p->bell[0]);
    close(p->listener);
    free(p);
}
