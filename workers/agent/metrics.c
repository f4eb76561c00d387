/* SPDX-License-Identifier: MIT */
#include "workers/agent/metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"

#define REQUEST_MAX 4096
#define PATIENCE_US 2000000

/* One family of one sample. */
static enum err_code sample(struct buf *out, const char *name, const char *type, const char *help,
                            unsigned long long value, struct err *err)
{
    return buf_printf(out, err,
                      "# HELP ogpu_worker_%s %s\n# TYPE ogpu_worker_%s %s\nogpu_worker_%s %llu\n",
                      name, help, name, type, name, value);
}

static enum err_code runs(struct agent *a, struct buf *out, struct err *err)
{
    enum err_code rc = buf_printf(out, err,
                                  "# HELP ogpu_worker_runs_total Runs by how they ended.\n"
                                  "# TYPE ogpu_worker_runs_total counter\n");
    for (unsigned i = 0; rc == E_OK && i < BOX_END_COUNT; i++)
        rc = buf_printf(out, err, "ogpu_worker_runs_total{end=\"%s\"} %llu\n",
                        box_end_word((enum box_end)i),
                        (unsigned long long)atomic_load(&a->stats.ends[i]));
    return rc;
}

static unsigned long long busy_slots(struct agent *a)
{
    unsigned long long n = 0;
    for (unsigned i = 0; i < a->slot_count; i++) {
        pthread_mutex_lock(&a->slots[i].mutex);
        n += a->slots[i].live;
        pthread_mutex_unlock(&a->slots[i].mutex);
    }
    return n;
}

enum err_code metrics_text(struct agent *a, struct buf *out, struct err *err)
{
    size_t at_rest;
    int64_t held;
    const struct stats *s = &a->stats;
    struct warm_counts w = warm_count(&a->warm, &at_rest, &held);
    const struct {
        const char *name;
        const char *type;
        const char *help;
        unsigned long long value;
    } rows[] = {
        {"slots", "gauge", "Attempts that may run at once.", a->slot_count},
        {"slots_busy", "gauge", "Attempts that run now.", busy_slots(a)},
        {"draining", "gauge", "1 when no new work is taken.", atomic_load(&a->draining)},
        {"claims_taken_total", "counter", "Claims that brought a task.", atomic_load(&s->claimed)},
        {"claims_empty_total", "counter", "Claims that brought none.",
         atomic_load(&s->claims_empty)},
        {"claims_failed_total", "counter", "Claims without a good answer.",
         atomic_load(&s->claims_failed)},
        {"responses_total", "counter", "Responses that the gateway took.",
         atomic_load(&s->responded)},
        {"beaten_total", "counter", "Results that came too late.", atomic_load(&s->beaten)},
        {"failures_total", "counter", "Attempts told as failed.", atomic_load(&s->failed)},
        {"released_total", "counter", "Attempts handed back without a run.",
         atomic_load(&s->released)},
        {"leases_lost_total", "counter", "Leases that ran out under a run.",
         atomic_load(&s->leases_lost)},
        {"run_milliseconds_total", "counter", "Wall time of all runs.", atomic_load(&s->run_ms)},
        {"egress_bytes_total", "counter", "Bytes that sources moved over the network.",
         atomic_load(&s->egress_bytes)},
        {"gateway_switches_total", "counter", "Times that another gateway was turned to.",
         atomic_load(&s->gateway_switches)},
        {"proofs_passed_total", "counter", "Device proofs that passed.",
         atomic_load(&s->proofs_passed)},
        {"proofs_failed_total", "counter", "Device proofs that failed or were lost on the way.",
         atomic_load(&s->proofs_failed)},
        {"proofs_declined_total", "counter", "Device proofs that were due and not begun.",
         atomic_load(&s->proofs_declined)},
        {"warm_at_rest", "gauge", "Kept containers.", at_rest},
        {"warm_held_bytes", "gauge", "Memory of kept containers.", (unsigned long long)held},
        {"warm_hits_total", "counter", "Tasks that a kept container took.", w.hits},
        {"warm_misses_total", "counter", "Tasks that needed a fresh one.", w.misses},
        {"warm_recycled_total", "counter", "Kept containers ended by age or tasks.", w.recycled},
        {"warm_faulted_total", "counter", "Containers not kept because of a fault.", w.faulted},
        {"warm_evicted_total", "counter", "Kept containers ended for their memory.", w.evicted},
    };
    enum err_code rc = runs(a, out, err);
    for (size_t i = 0; rc == E_OK && i < ARRAY_LEN(rows); i++)
        rc = sample(out, rows[i].name, rows[i].type, rows[i].help, rows[i].value, err);
    return rc;
}

enum err_code metrics_listen(int64_t port, int *out, struct err *err)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int on = 1;
    *out = -1;
    if (port == 0)
        return E_OK;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 8) != 0) {
        enum err_code rc =
            err_set(err, E_CONFIG, "OGPU_METRICS_PORT %lld: %s", (long long)port, strerror(errno));
        if (fd >= 0)
            close(fd);
        return rc;
    }
    *out = fd;
    return E_OK;
}

/* The request's first line, when all of its head has come. */
static bool read_head(int fd, char text[REQUEST_MAX])
{
    size_t n = 0;
    int64_t end = clock_mono_us() + PATIENCE_US;
    while (n < REQUEST_MAX - 1) {
        int64_t left = (end - clock_mono_us()) / 1000;
        struct pollfd row = {.fd = fd, .events = POLLIN};
        if (left <= 0 || poll(&row, 1, (int)left) != 1)
            return false;
        ssize_t got = recv(fd, text + n, REQUEST_MAX - 1 - n, 0);
        if (got <= 0)
            return false;
        n += (size_t)got;
        text[n] = '\0';
        if (strstr(text, "\r\n\r\n"))
            return true;
    }
    return false;
}

static void send_all(int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t done = send(fd, p, n, MSG_NOSIGNAL);
        if (done <= 0)
            return;
        p += done;
        n -= (size_t)done;
    }
}

static void serve_one(struct agent *a, int fd)
{
    static const char wanted[] = "GET /metrics ";
    struct err err = {0};
    struct buf body = {.cap = 65536};
    struct buf head = {.cap = 512};
    char request[REQUEST_MAX];
    if (read_head(fd, request)) {
        bool known = strncmp(request, wanted, sizeof(wanted) - 1) == 0;
        enum err_code rc = known ? metrics_text(a, &body, &err) : E_OK;
        if (rc == E_OK)
            rc = buf_printf(&head, &err,
                            "HTTP/1.1 %s\r\nContent-Type: text/plain; version=0.0.4\r\n"
                            "Content-Length: %zu\r\nConnection: close\r\n\r\n",
                            known ? "200 OK" : "404 Not Found", body.n);
        if (rc == E_OK) {
            send_all(fd, head.p, head.n);
            send_all(fd, body.p, body.n);
        }
    }
    buf_done(&body);
    buf_done(&head);
}

void *metrics_main(void *arg)
{
    struct agent *a = arg;
    while (!atomic_load(&a->over)) {
        struct pollfd row = {.fd = a->metrics_fd, .events = POLLIN};
        if (poll(&row, 1, 200) != 1)
            continue;
        /* cppcheck-suppress nullPointer ; both NULLs say that nobody asks who calls */
        int fd = accept4(a->metrics_fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        struct timeval patience = {2, 0};
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        serve_one(a, fd);
        close(fd);
    }
    return NULL;
}
