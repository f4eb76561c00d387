/* SPDX-License-Identifier: MIT */
/*
 * libmicrohttpd and nothing else: reads the request with its body and answers a constant. What the
 * gateway could reach at most on the same machine, in the same shape (one thread, epoll).
 *
 * usage: bare_http PORT BYTES     (answers 201 to POST, 200 to anything else, BYTES of body)
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID "{\"id\":\"tsk_00000000000000000000000000\",\"pad\":\""

static volatile sig_atomic_t stopping;

struct constant {
    char *body;
    size_t n;
};

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

/* libmicrohttpd decides the parameters. NOLINTNEXTLINE(readability-function-size) */
static enum MHD_Result answer(void *cls, struct MHD_Connection *mhd, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **ctx)
{
    const struct constant *c = cls;
    struct MHD_Response *r;
    enum MHD_Result queued;

    (void)url;
    (void)version;
    (void)data;
    if (!*ctx) {
        *ctx = cls;
        return MHD_YES;
    }
    if (*size > 0) {
        *size = 0;
        return MHD_YES;
    }
    r = MHD_create_response_from_buffer(c->n, c->body, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(r, "Content-Type", "application/json");
    queued = MHD_queue_response(mhd, strcmp(method, "POST") == 0 ? 201 : 200, r);
    MHD_destroy_response(r);
    return queued;
}

static struct constant constant_of(size_t n)
{
    struct constant c = {.n = n < sizeof(ID) + 2 ? sizeof(ID) + 2 : n};

    c.body = malloc(c.n + 1);
    if (!c.body)
        abort();
    memset(c.body, '.', c.n);
    memcpy(c.body, ID, sizeof(ID) - 1);
    memcpy(c.body + c.n - 2, "\"}", 2);
    return c;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct sockaddr_in at = {.sin_family = AF_INET};
    struct constant c;
    struct MHD_Daemon *d;
    int fd;

    if (argc != 3) {
        fputs("usage: bare_http PORT BYTES\n", stderr);
        return 2;
    }
    c = constant_of(strtoul(argv[2], NULL, 10));
    at.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    d = MHD_start_daemon(MHD_USE_EPOLL, 0, NULL, NULL, answer, &c, MHD_OPTION_CONNECTION_LIMIT,
                         4096U, MHD_OPTION_SOCK_ADDR, &at, MHD_OPTION_END);
    if (!d) {
        fprintf(stderr, "bare_http: cannot listen on %s\n", argv[1]);
        return 1;
    }
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    fd = MHD_get_daemon_info(d, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    while (!stopping) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        MHD_UNSIGNED_LONG_LONG ms = 1000;

        if (MHD_get_timeout(d, &ms) != MHD_YES || ms > 1000)
            ms = 1000;
        (void)poll(&p, 1, (int)ms);
        MHD_run(d);
    }
    MHD_stop_daemon(d);
    free(c.body);
    return 0;
}
