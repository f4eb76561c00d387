/* SPDX-License-Identifier: MIT */
#include "relayer/metrics.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib/clock.h"

#define REQUEST_MAX 4096

struct metrics {
    pthread_t thread;
    pthread_mutex_t lock;
    char *text;
    int fd;
    atomic_bool stop;
};

static void send_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t put = send(fd, p, n, MSG_NOSIGNAL);

        if (put <= 0)
            return;
        p += put;
        n -= (size_t)put;
    }
}

/* The head of a request, for at most two seconds. @return false when none came */
static bool read_head(int fd, char *out, size_t room)
{
    const struct timeval wait = {.tv_sec = 2};
    int64_t deadline = clock_mono_us() + 2000000;
    size_t n = 0;

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    while (n < room - 1 && clock_mono_us() < deadline) {
        ssize_t got = recv(fd, out + n, room - 1 - n, 0);

        if (got <= 0)
            return false;
        n += (size_t)got;
        out[n] = '\0';
        if (strstr(out, "\r\n\r\n"))
            return true;
    }
    return false;
}

static void serve(struct metrics *m, int fd)
{
    char head[REQUEST_MAX];
    char reply[256];
    const char *status = "404 Not Found";
    char *text = NULL;

    if (read_head(fd, head, sizeof(head))) {
        if (strncmp(head, "GET /metrics ", 13) == 0) {
            status = "200 OK";
            pthread_mutex_lock(&m->lock);
            text = strdup(m->text);
            pthread_mutex_unlock(&m->lock);
        }
        snprintf(reply, sizeof(reply),
                 "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: %zu\r\n"
                 "Connection: close\r\n\r\n",
                 status, text ? strlen(text) : 0);
        send_all(fd, reply, strlen(reply));
        if (text)
            send_all(fd, text, strlen(text));
        free(text);
    }
    close(fd);
}

static void *loop(void *arg)
{
    struct metrics *m = arg;

    while (!atomic_load(&m->stop)) {
        struct pollfd p = {.fd = m->fd, .events = POLLIN};
        /* cppcheck-suppress nullPointer ; accept4() takes NULL */
        int fd = poll(&p, 1, 200) > 0 ? accept4(m->fd, NULL, NULL, SOCK_CLOEXEC) : -1;

        if (fd >= 0)
            serve(m, fd);
    }
    return NULL;
}

static enum err_code listen_at(const char *at, int *out, struct err *err)
{
    const struct addrinfo want = {.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
                                  .ai_socktype = SOCK_STREAM};
    const char *colon = strrchr(at, ':');
    struct addrinfo *found = NULL;
    char host[64];
    int on = 1;
    int fd = -1;

    if (!colon || (size_t)(colon - at) >= sizeof(host))
        return err_set(err, E_CONFIG, "OGPU_METRICS_LISTEN must be host:port");
    snprintf(host, sizeof(host), "%.*s", (int)(colon - at), at);
    if (getaddrinfo(host, colon + 1, &want, &found) != 0)
        return err_set(err, E_CONFIG, "OGPU_METRICS_LISTEN must be a numeric host:port");
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 16) != 0) {
        freeaddrinfo(found);
        if (fd >= 0)
            close(fd);
        return err_set(err, E_CONFIG, "'%s' cannot be listened on: errno %d", at, errno);
    }
    freeaddrinfo(found);
    *out = fd;
    return E_OK;
}

enum err_code metrics_start(const char *at, struct metrics **out, struct err *err)
{
    struct metrics *m;
    int fd = -1;
    enum err_code rc = listen_at(at, &fd, err);

    if (rc != E_OK)
        return rc;
    m = calloc(1, sizeof(*m));
    if (!m || !(m->text = strdup("")))
        abort();
    m->fd = fd;
    pthread_mutex_init(&m->lock, NULL);
    if (pthread_create(&m->thread, NULL, loop, m) != 0)
        abort();
    *out = m;
    return E_OK;
}

void metrics_set(struct metrics *m, const struct buf *text)
{
    char *copy = strndup((const char *)text->p, text->n);

    if (!copy)
        abort();
    pthread_mutex_lock(&m->lock);
    free(m->text);
    m->text = copy;
    pthread_mutex_unlock(&m->lock);
}

void metrics_stop(struct metrics *m)
{
    if (!m)
        return;
    atomic_store(&m->stop, true);
    pthread_join(m->thread, NULL);
    close(m->fd);
    pthread_mutex_destroy(&m->lock);
    free(m->text);
    free(m);
}
