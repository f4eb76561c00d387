/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "workers/contain/egress.h"
#include "workers/contain/freezer.h"
#include "workers/contain/house.h"
#include "workers/contain/session.h"
#include "workers/contain/wire.h"

/*
 * What it holds for a source at most: four callbacks of 16 MiB, in buffers that may be twice as
 * large, and as much again for the request and itself. Files in memory are not among it.
 */
#define MEMORY_MAX ((rlim_t)256 << 20)

/* What a supervisor ends, ends one run: the machine shall do without it before it does without the
 * worker or anything else, but not before it has tried the source (1000). */
#define OOM_SCORE "900"

static bool bound_memory(void)
{
#ifdef __SANITIZE_ADDRESS__
    return true;
#else
    struct rlimit r;
    bool ok = getrlimit(RLIMIT_DATA, &r) == 0;
    /* Soft alone: a runtime is another program, and a source has its cgroup (runtime.c lifts it).
     */
    r.rlim_cur = r.rlim_max < MEMORY_MAX ? r.rlim_max : MEMORY_MAX;
    return ok && setrlimit(RLIMIT_DATA, &r) == 0;
#endif
}

static bool go_before_others(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, OOM_SCORE, strlen(OOM_SCORE)) == (ssize_t)strlen(OOM_SCORE);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* Tell how a run ended. @return whether the worker heard it. */
static bool answer(int sock, struct box_result *r)
{
    struct err err = {0};
    int fds[BOX_OUTPUTS_MAX];
    if (r->end != BOX_OK)
        box_result_done(r);
    for (size_t i = 0; i < r->output_count; i++)
        fds[i] = r->outputs[i].fd;
    json_t *reply = wire_from_result(r);
    enum err_code rc = wire_send(sock, reply, fds, r->output_count, &err);
    json_decref(reply);
    box_result_done(r);
    return rc == E_OK;
}

/* A message and its one descriptor, mapped as a task's input. */
static bool hear(int sock, json_t **request, struct session_input *in)
{
    struct err err = {0};
    int fd = -1;
    size_t n = 1;
    *in = (struct session_input){.fd = -1};
    if (wire_receive(sock, request, &fd, &n, &err) != E_OK)
        return false;
    if (n == 1 && session_map(fd, in, &err) == E_OK)
        return true;
    json_decref(*request);
    if (n == 1)
        close(fd);
    return false;
}

/* The tasks that follow in a kept container, until the worker hangs up or one ends it. */
static void serve_more(struct session *s, struct box_result *r)
{
    while (r->kept) {
        json_t *request;
        struct session_input in;
        struct box_task task;
        struct err err = {0};
        if (!hear(s->control, &request, &in))
            break;
        memset(r, 0, sizeof(*r));
        bool ok = wire_to_task(request, &task, &err) == E_OK;
        if (ok)
            session_next(s, &task, &in, r);
        session_unmap(&in);
        ok = ok && answer(s->control, r);
        json_decref(request);
        if (!ok)
            break;
    }
    session_end(s);
}

static int serve(int sock, int note, const struct egress_side *egress)
{
    static struct box_result r; /* large, and this process makes one */
    static struct session s;
    struct err err = {0};
    struct session_input in;
    json_t *request;
    if (!hear(sock, &request, &in))
        return 1;
    s = (struct session){.control = sock, .note = note, .egress = *egress};
    enum err_code rc = wire_to_spec(request, &s.spec, &err);
    if (rc == E_OK)
        rc = house_build(&s.spec, &err);
    if (rc == E_OK) {
        session_first(&s, &in, &r);
    } else {
        r.end = BOX_START_FAILURE;
        snprintf(r.reason, sizeof(r.reason), "%s", err.text);
    }
    session_unmap(&in);
    bool told = answer(sock, &r);
    if (told)
        serve_more(&s, &r);
    else
        session_end(&s);
    json_decref(request);
    return told ? 0 : 1;
}

/*
 * The second stage dies with the first: it is init of the pid namespace, so all dies with it. The
 * parent may have died before the first line here; then the pipe that it held open is shut.
 */
static bool die_with_parent(int alive)
{
    struct pollfd row = {.fd = alive, .events = POLLIN};
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && poll(&row, 1, 0) == 0;
}

static void thaw(const char *file)
{
    const char *word = freezer_thaw_word();
    int fd = file[0] ? open(file, O_WRONLY | O_CLOEXEC) : -1;
    if (fd >= 0 && write(fd, word, strlen(word)) < 0)
        errno = 0; /* it is gone: so is what was in it */
    if (fd >= 0)
        close(fd);
}

/* The worker is gone. What is frozen dies only when it is thawed (cgroup v1), so thaw until it has.
 */
static void bury(pid_t child, int note)
{
    char file[512] = "";
    struct timespec pause = {0, 10000000};
    kill(child, SIGKILL);
    do {
        if (read(note, file, sizeof(file)) < 0 && errno != EAGAIN)
            break;
        thaw(file);
        nanosleep(&pause, NULL);
    } while (waitpid(child, NULL, WNOHANG) == 0);
    _exit(1);
}

/*
 * The first stage stays outside of all that the source can reach, and watches over two ends: the
 * worker's, after which nothing may stay, and the second stage's, after which it ends too. It
 * cannot leave the first to PR_SET_PDEATHSIG: that would kill it before it could thaw what is
 * frozen.
 */
static int guard(pid_t child, int worker, int note, pid_t proxy)
{
    int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    struct pollfd rows[2] = {{.fd = worker, .events = POLLIN}, {.fd = pidfd, .events = POLLIN}};
    int status = 0;
    while (poll(rows, 2, -1) < 0 && errno == EINTR)
        ;
    /* Whichever end it was, the source's network goes first. */
    if (proxy > 0)
        kill(proxy, SIGKILL);
    if (rows[0].revents && !rows[1].revents)
        bury(child, note);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    while (proxy > 0 && waitpid(proxy, NULL, 0) < 0 && errno == EINTR)
        ;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* A descriptor that becomes readable when the worker ends; -1 when it has. */
static int watch_worker(int sock)
{
    pid_t worker = getppid();
    int fd = (int)syscall(SYS_pidfd_open, worker, 0);
    struct pollfd row = {.fd = sock, .events = 0};
    /* Its end of the socket is open: so it lived when we asked for its id. */
    if (fd >= 0 && (poll(&row, 1, 0) < 0 || (row.revents & POLLHUP) || getppid() != worker)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

int box_supervisor_main(int sock, bool egress)
{
    struct egress_side side = {.sock = -1};
    log_open("ogpu-supervisor", LOG_LEVEL_INFO);
    signal(SIGPIPE, SIG_IGN);
    if (!bound_memory() || !go_before_others()) {
        log_error("no_bounds", "why=%s", strerror(errno));
        return 1;
    }
    int worker = watch_worker(sock);
    if (worker < 0 || prctl(PR_SET_PDEATHSIG, 0) != 0)
        return 1;
    if (egress && !egress_fork(&side)) {
        log_error("no_proxy", "why=%s", strerror(errno));
        return 1;
    }
    if (fcntl(sock, F_SETFD, FD_CLOEXEC) != 0 || unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) {
        log_error("no_namespaces", "why=%s", strerror(errno));
        return 1;
    }
    int alive[2];
    int note[2];
    if (pipe2(alive, O_CLOEXEC) != 0 || pipe2(note, O_CLOEXEC | O_NONBLOCK) != 0)
        return 1;
    pid_t pid = fork();
    if (pid < 0)
        return 1;
    if (pid == 0) {
        close(alive[1]);
        close(note[0]);
        close(worker);
        if (!die_with_parent(alive[0]))
            _exit(1);
        (void)setsid();
        _exit(serve(sock, note[1], &side));
    }
    close(sock);
    egress_close(&side);
    close(note[1]);
    /* Nothing to flush, nothing to tidy: and no exit handler of a library to run beside a dead
     * child. */
    _exit(guard(pid, worker, note[0], side.pid));
}
