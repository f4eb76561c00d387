/* SPDX-License-Identifier: MIT */
/*
 * Times containers as the worker makes them, without a gateway: one figure a line, in microseconds.
 *
 *   worker_box cold RUNTIME ROOTFS PROGRAM N THREADS   N runs of an exec source in each thread
 *   worker_box warm RUNTIME ROOTFS PROGRAM N           N tasks of one kept http service
 *   worker_box bare PROGRAM N                          the same service and requests, no container
 */
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "workers/contain/box.h"
#include "workers/contain/cgroup.h"
#include "workers/contain/courier.h"

#define TASK "0x0000000000000000000000000000000000000001"

struct plan {
    struct box_spec spec;
    char id[64];
    int runs;
    unsigned thread;
    const char *input;
    int64_t *took;
};

static void die(const char *what)
{
    fprintf(stderr, "worker_box: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void prepare(struct plan *p, char **argv, unsigned thread)
{
    static struct cgroup cg;
    struct err err = {0};
    if (thread == 0 && (cgroup_find(&cg, &err) != E_OK || cgroup_prepare(&cg, &err) != E_OK)) {
        fprintf(stderr, "worker_box: %s\n", err.text);
        exit(1);
    }
    *p = (struct plan){.runs = atoi(argv[5]), .thread = thread, .input = "{}\n"};
    p->spec = (struct box_spec){
        .runtime = argv[2],
        .rootfs = argv[3],
        .cgroup_parent = cg.parent,
        .args = {argv[4]},
        .arg_count = 1,
        .env = {"CALLBACK_URL=http://127.0.0.1:20000", "HOME=/tmp"},
        .env_count = 2,
        .cwd = "/",
        .uid = 1000,
        .gid = 1000,
        .uid_base = 65536 * (1000 + thread),
        .function = "echo",
        .task_address = TASK,
        .limits = {64 << 20, 16, 1000, 1 << 20, 1 << 20, 4, 20000},
    };
    p->took = calloc((size_t)p->runs, sizeof(*p->took));
    if (!p->took)
        die("no memory");
}

static void check(enum err_code rc, const struct box_result *r, const struct err *err)
{
    if (rc == E_OK && r->end == BOX_OK)
        return;
    fprintf(stderr, "worker_box: %s\n", rc == E_OK ? r->reason : err->text);
    exit(1);
}

static void *run_cold(void *arg)
{
    struct plan *p = arg;
    static _Thread_local struct box_result r;
    for (int i = 0; i < p->runs; i++) {
        struct err err = {0};
        int64_t begun = clock_mono_us();
        snprintf(p->id, sizeof(p->id), "ogpu-bench-%d-%u-%d", (int)getpid(), p->thread, i);
        p->spec.id = p->id;
        memset(&r, 0, sizeof(r));
        check(box_run(&p->spec, p->input, strlen(p->input), -1, &r, &err), &r, &err);
        p->took[i] = clock_mono_us() - begun;
        box_result_done(&r);
    }
    return NULL;
}

static int cold(char **argv)
{
    enum { THREADS_MAX = 16 };
    static struct plan plans[THREADS_MAX];
    pthread_t threads[THREADS_MAX];
    unsigned n = (unsigned)atoi(argv[6]);
    if (n < 1 || n > THREADS_MAX)
        return 2;
    int64_t begun = clock_mono_us();
    for (unsigned i = 0; i < n; i++) {
        prepare(&plans[i], argv, i);
        if (pthread_create(&threads[i], NULL, run_cold, &plans[i]) != 0)
            die("no thread");
    }
    for (unsigned i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    fprintf(stderr, "%lld\n", (long long)(clock_mono_us() - begun));
    for (unsigned i = 0; i < n; i++) {
        for (int k = 0; k < plans[i].runs; k++)
            printf("%lld\n", (long long)plans[i].took[k]);
    }
    return 0;
}

static int warm(char **argv)
{
    static struct plan p;
    static struct box_result r;
    struct box *box = NULL;
    struct bytes input = {(const uint8_t *)"{}", 2};
    struct err err = {0};
    prepare(&p, argv, 0);
    snprintf(p.id, sizeof(p.id), "ogpu-bench-%d", (int)getpid());
    p.spec.id = p.id;
    p.spec.contract = BOX_HTTP;
    p.spec.keep = true;
    check(box_begin(&p.spec, input, -1, &r, &box, &err), &r, &err);
    struct box_task task = {"echo", TASK, 20000};
    for (int i = 0; i < p.runs; i++) {
        box_result_done(&r);
        memset(&r, 0, sizeof(r));
        int64_t begun = clock_mono_us();
        check(box ? box_again(box, &task, input, -1, &r, &err) : E_INTERNAL, &r, &err);
        printf("%lld\n", (long long)(clock_mono_us() - begun));
    }
    box_result_done(&r);
    box_close(box);
    return 0;
}

/* ---- the service without a container ---- */

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

/* A network of our own, as a container has one: the service's port may be taken outside. */
static void alone(void)
{
    struct ifreq lo = {.ifr_name = "lo"};
    int fd = unshare(CLONE_NEWNET) == 0 ? socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &lo) != 0)
        die("no network namespace");
    lo.ifr_flags |= IFF_UP;
    if (ioctl(fd, SIOCSIFFLAGS, &lo) != 0)
        die("lo");
    close(fd);
}

static int connected(uint16_t port)
{
    struct sockaddr_in a = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Read until these bytes have come. */
static void await(int fd, const char *what)
{
    char text[4096];
    size_t n = 0;
    for (ssize_t got = 1; got > 0 && n < sizeof(text) - 1; n += (size_t)got) {
        got = recv(fd, text + n, sizeof(text) - 1 - n, 0);
        if (got <= 0)
            die("the service hung up");
        text[n + (size_t)got] = '\0';
        if (strstr(text, what))
            return;
    }
}

static void one_request(int listener)
{
    static const char request[] =
        "POST /run/echo/" TASK " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
        "\r\n{}";
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    int run = connected(COURIER_PORT);
    if (run < 0 || send(run, request, sizeof(request) - 1, 0) < 0)
        die("the service does not listen");
    await(run, " 202 ");
    /* cppcheck-suppress nullPointer ; both NULLs say that nobody asks who calls */
    int back = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    await(back, "\"bytes\":2}");
    if (send(back, ok, sizeof(ok) - 1, 0) < 0)
        die("callback");
    close(back);
    close(run);
}

static int bare(char **argv)
{
    struct sockaddr_in a = loopback(COURIER_CALLBACK_PORT);
    alone();
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(listener, 8) != 0)
        die("callback listener");
    pid_t service = fork();
    if (service == 0) {
        setenv("CALLBACK_URL", "http://127.0.0.1:20000", 1);
        execl(argv[2], argv[2], (char *)NULL);
        _exit(127);
    }
    int fd = -1;
    for (int i = 0; i < 500 && (fd = connected(COURIER_PORT)) < 0; i++)
        usleep(10000);
    close(fd);
    for (int i = 0; i < atoi(argv[3]); i++) {
        int64_t begun = clock_mono_us();
        one_request(listener);
        printf("%lld\n", (long long)(clock_mono_us() - begun));
    }
    kill(service, SIGKILL);
    waitpid(service, NULL, 0);
    return 0;
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    if (strcmp(word, BOX_SUPERVISOR_WORD) == 0)
        return box_supervisor_main(3, false);
    signal(SIGPIPE, SIG_IGN);
    if (strcmp(word, "cold") == 0 && argc == 7)
        return cold(argv);
    if (strcmp(word, "warm") == 0 && argc == 6)
        return warm(argv);
    if (strcmp(word, "bare") == 0 && argc == 4)
        return bare(argv);
    fputs("usage: worker_box cold|warm|bare ...\n", stderr);
    return 2;
}
