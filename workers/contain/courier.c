/* SPDX-License-Identifier: MIT */
#include "workers/contain/courier.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"
#include "workers/contain/outputs.h"

#define KNOCK_EVERY_US      20000
#define CALLER_PATIENCE_US  30000000
#define LEAVING_PATIENCE_US 2000000
#define READY_PATIENCE_US   5000000
#define READY_AGAIN_US      100000

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static void broken(struct courier *c, enum box_end end, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void broken(struct courier *c, enum box_end end, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(c->reason, sizeof(c->reason), fmt, ap);
    va_end(ap);
    c->end = end;
    c->state = COURIER_BROKEN;
}

enum err_code courier_begin(struct courier *c, const struct life *life, const void *input, size_t n,
                            struct err *err)
{
    memset(c, 0, sizeof(*c));
    c->life = life;
    c->spec = life->spec;
    c->run = -1;
    for (size_t i = 0; i < COURIER_CALLERS_MAX; i++)
        c->callers[i].fd = -1;
    c->listener = life_socket(life);
    struct sockaddr_in a = loopback(COURIER_CALLBACK_PORT);
    /* a kept container's earlier callback may still be in TIME_WAIT on this port */
    int on = 1;
    if (c->listener >= 0)
        (void)setsockopt(c->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (c->listener < 0 || bind(c->listener, (struct sockaddr *)&a, sizeof(a)) != 0 ||
        listen(c->listener, 8) != 0)
        return err_set(err, E_IO, "no callback listener in the container: %s", strerror(errno));
    c->request.cap = n + 1024;
    enum err_code rc =
        buf_printf(&c->request, err,
                   "POST /run/%s/%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n"
                   "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                   c->spec->function, c->spec->task_address, COURIER_PORT, n);
    return rc == E_OK ? buf_add(&c->request, input, n, err) : rc;
}

static void hang_up(struct courier *c, size_t i)
{
    close(c->callers[i].fd);
    http_in_done(&c->callers[i].in);
    c->callers[i].fd = -1;
}

void courier_done(struct courier *c)
{
    if (c->listener >= 0)
        close(c->listener);
    if (c->run >= 0)
        close(c->run);
    for (size_t i = 0; i < COURIER_CALLERS_MAX; i++) {
        if (c->callers[i].fd >= 0)
            hang_up(c, i);
    }
    buf_done(&c->request);
    buf_done(&c->result);
}

int64_t courier_wants(struct courier *c, struct pollfd *rows)
{
    int64_t wait = 1000000;
    rows[0] = (struct pollfd){.fd = -1, .events = POLLIN};
    rows[1] = (struct pollfd){.fd = c->run};
    for (size_t i = 0; i < COURIER_CALLERS_MAX; i++) {
        rows[2 + i] = (struct pollfd){.fd = c->callers[i].fd, .events = POLLIN};
        if (c->callers[i].fd < 0)
            rows[0].fd = c->listener;
    }
    if (c->run >= 0)
        rows[1].events =
            c->state == COURIER_KNOCKING || c->state == COURIER_SENDING ? POLLOUT : POLLIN;
    if ((c->run < 0 && c->state == COURIER_KNOCKING) || c->state == COURIER_ASKING)
        wait = c->next_knock_us - clock_mono_us();
    return wait > 0 ? wait : 0;
}

/* ---- towards the source ---- */

/* Hang up and knock again later. */
static void knock_again(struct courier *c, int64_t later_us)
{
    if (c->run >= 0)
        close(c->run);
    c->run = -1;
    c->state = COURIER_KNOCKING;
    c->next_knock_us = clock_mono_us() + later_us;
}

/* The port is open; a service that has a word for "ready" is asked for it. */
static void ask_whether_ready(struct courier *c)
{
    char text[160];
    int n = snprintf(text, sizeof(text),
                     "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n\r\n",
                     c->spec->readiness, COURIER_PORT);
    c->answered = 0;
    c->state = COURIER_ASKING;
    c->next_knock_us = clock_mono_us() + READY_PATIENCE_US;
    if (send(c->run, text, (size_t)n, MSG_NOSIGNAL) != n)
        knock_again(c, READY_AGAIN_US);
}

static void hear_whether_ready(struct courier *c, bool readable)
{
    ssize_t n = 0;
    if (readable) {
        n = recv(c->run, c->answer + c->answered, sizeof(c->answer) - 1 - c->answered, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
    } else if (clock_mono_us() < c->next_knock_us) {
        return;
    }
    if (n <= 0) {
        knock_again(c, READY_AGAIN_US);
        return;
    }
    c->answered += (size_t)n;
    if (c->answered < 12)
        return;
    c->answer[c->answered] = '\0';
    c->ready = strncmp(c->answer, "HTTP/1.", 7) == 0 && atoi(c->answer + 9) == 200;
    c->answered = 0;
    knock_again(c, c->ready ? 0 : READY_AGAIN_US);
}

const char *courier_missing(const struct courier *c)
{
    if (c->state == COURIER_KNOCKING && !c->ready)
        return "the service never listened on port 5555, or was not ready";
    if (c->state == COURIER_ASKING)
        return "the service was not ready";
    if (c->state == COURIER_SENDING || c->state == COURIER_ANSWER)
        return "the service did not answer POST /run";
    return "the service took the task and did not call back";
}

static void knock(struct courier *c)
{
    if (c->run < 0) {
        if (clock_mono_us() < c->next_knock_us)
            return;
        c->next_knock_us = clock_mono_us() + KNOCK_EVERY_US;
        c->run = life_socket(c->life);
        if (c->run < 0)
            return;
        struct sockaddr_in a = loopback(COURIER_PORT);
        if (connect(c->run, (struct sockaddr *)&a, sizeof(a)) == 0 || errno == EINPROGRESS)
            return;
    } else {
        int e = 0;
        socklen_t len = sizeof(e);
        if (getsockopt(c->run, SOL_SOCKET, SO_ERROR, &e, &len) == 0 && e == 0) {
            if (c->spec->readiness && !c->ready)
                ask_whether_ready(c);
            else
                c->state = COURIER_SENDING;
            return;
        }
    }
    close(c->run);
    c->run = -1;
}

static void send_request(struct courier *c)
{
    ssize_t n = send(c->run, c->request.p + c->sent, c->request.n - c->sent, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0) {
        broken(c, BOX_BAD_OUTPUT, "the source closed the connection of POST /run");
        return;
    }
    c->sent += (size_t)n;
    if (c->sent == c->request.n)
        c->state = COURIER_ANSWER;
}

static void judge_answer(struct courier *c)
{
    c->answer[c->answered] = '\0';
    int status = 0;
    if (strncmp(c->answer, "HTTP/1.", 7) == 0 && c->answered >= 12)
        status = atoi(c->answer + 9);
    if (status == 202) {
        c->state = COURIER_WAITING;
        c->accepted_us = clock_mono_us();
    } else if (status == 404) {
        broken(c, BOX_BAD_OUTPUT, "the source has no function '%.64s' (404)", c->spec->function);
    } else if (status == 422) {
        broken(c, BOX_BAD_OUTPUT, "the source refuses the input (422)");
    } else {
        broken(c, BOX_BAD_OUTPUT, "the source answered POST /run with %d instead of 202", status);
    }
}

static void read_answer(struct courier *c)
{
    char rest[4096];
    bool judged = c->state == COURIER_WAITING;
    char *to = judged ? rest : c->answer + c->answered;
    size_t room = judged ? sizeof(rest) : sizeof(c->answer) - 1 - c->answered;
    ssize_t n = recv(c->run, to, room, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (!judged && n > 0) {
        c->answered += (size_t)n;
        if (c->answered >= 12)
            judge_answer(c);
        return;
    }
    if (n <= 0) {
        if (!judged)
            broken(c, BOX_BAD_OUTPUT,
                   "the source closed the connection of POST /run without an answer");
        close(c->run);
        c->run = -1;
    }
}

/* ---- from the source ---- */

static void welcome(struct courier *c)
{
    /* cppcheck-suppress nullPointer ; both NULLs say that nobody asks who calls */
    int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    for (size_t i = 0; i < COURIER_CALLERS_MAX; i++) {
        if (c->callers[i].fd >= 0)
            continue;
        c->callers[i].fd = fd;
        c->callers[i].until_us = clock_mono_us() + CALLER_PATIENCE_US;
        c->callers[i].leaving = false;
        http_in_begin(&c->callers[i].in, (size_t)outputs_json_max(&c->spec->limits));
        return;
    }
    close(fd);
}

/*
 * Answered before it has sent all: nothing more of it is kept, but hung up on at once it would see
 * a broken connection instead of its answer (RFC 9112, 9.6).
 */
static void see_off(struct courier *c, size_t i)
{
    http_in_done(&c->callers[i].in);
    c->callers[i].leaving = true;
    c->callers[i].until_us = clock_mono_us() + LEAVING_PATIENCE_US;
    (void)shutdown(c->callers[i].fd, SHUT_WR);
}

static void reply(struct courier *c, size_t i, const char *status)
{
    char text[160];
    c->strikes += status[0] != '2';
    int n = snprintf(text, sizeof(text),
                     "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
                     "Connection: close\r\n\r\n{}",
                     status);
    if (send(c->callers[i].fd, text, (size_t)n, MSG_NOSIGNAL) < 0)
        errno = 0; /* it does not want the answer: its business */
    if (status[0] == '2')
        hang_up(c, i);
    else
        see_off(c, i);
}

static bool is_our_task(const struct courier *c, const char *path)
{
    return path[0] == '/' && strcasecmp(path + 1, c->spec->task_address) == 0;
}

/* Why a request is refused, judged by its head: before any memory is spent on its body. NULL: it is
 * the callback. */
static const char *refusal(const struct courier *c, const struct http_in *in)
{
    if (strcmp(in->method, "POST") != 0)
        return "405 Method Not Allowed";
    if (!is_our_task(c, in->path))
        return "404 Not Found";
    /* not asked yet, or told already: one result per task */
    bool early_or_late = c->state < COURIER_ANSWER || c->state == COURIER_DELIVERED;
    return early_or_late ? "409 Conflict" : NULL;
}

static void receive(struct courier *c, size_t i)
{
    c->result = c->callers[i].in.body;
    c->callers[i].in.body = (struct buf){0};
    c->state = COURIER_DELIVERED;
    reply(c, i, "200 OK");
}

static void hear(struct courier *c, size_t i)
{
    char bytes[65536];
    struct http_in *in = &c->callers[i].in;
    ssize_t n = recv(c->callers[i].fd, bytes, sizeof(bytes), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        hang_up(c, i);
        return;
    }
    if (c->callers[i].leaving)
        return;
    http_in_feed(in, bytes, (size_t)n);
    if (in->state == HTTP_IN_HEAD)
        return;
    const char *no = in->state == HTTP_IN_BAD ? "400 Bad Request" : refusal(c, in);
    if (no) {
        reply(c, i, no);
    } else if (in->state == HTTP_IN_DONE) {
        receive(c, i);
    } else if (in->state == HTTP_IN_TOO_LARGE) {
        reply(c, i, "413 Content Too Large");
        broken(c, BOX_OUTPUT_LIMIT, "the callback is more than %lld bytes",
               (long long)outputs_json_max(&c->spec->limits));
    } else if (in->state == HTTP_IN_BODY && in->expects_continue) {
        static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
        in->expects_continue = false;
        if (send(c->callers[i].fd, go_on, sizeof(go_on) - 1, MSG_NOSIGNAL) < 0)
            hang_up(c, i);
    }
}

void courier_turn(struct courier *c, const struct pollfd *rows)
{
    if (c->state == COURIER_KNOCKING && (c->run < 0 || rows[1].revents))
        knock(c);
    else if (c->state == COURIER_ASKING)
        hear_whether_ready(c, rows[1].revents != 0);
    else if (c->state == COURIER_SENDING && rows[1].revents)
        send_request(c);
    else if ((c->state == COURIER_ANSWER || c->state == COURIER_WAITING) && c->run >= 0 &&
             rows[1].revents)
        read_answer(c);
    for (size_t i = 0; i < COURIER_CALLERS_MAX && c->state != COURIER_BROKEN; i++) {
        if (c->callers[i].fd < 0)
            continue;
        bool late = clock_mono_us() > c->callers[i].until_us;
        bool speaks = rows[2 + i].fd == c->callers[i].fd && rows[2 + i].revents;
        /* who brings the callback may take long; who was answered may not speak on for ever */
        if (late && (!speaks || c->callers[i].leaving))
            hang_up(c, i);
        else if (speaks)
            hear(c, i);
    }
    if (rows[0].fd >= 0 && rows[0].revents)
        welcome(c);
}
