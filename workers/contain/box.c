/* SPDX-License-Identifier: MIT */
#include "workers/contain/box.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "workers/contain/cgroup.h"
#include "workers/contain/egress.h"
#include "workers/contain/freezer.h"
#include "workers/contain/wire.h"

/* What a supervisor that was hung up on gets to delete a container without a task. */
#define CLOSE_MS 10000
/* And one with a task that is done: its runtime has 30 s for that, and a driver takes some to free
 * what a large process has pinned. */
#define END_MS 40000
/* What a killed supervisor gets to be gone; one that waits inside a broken driver never is. */
#define DEATH_MS 5000
/* Beyond the run's own time: create, start and delete have 30 s each, reading outputs the rest. */
#define OVERHEAD_MS 180000
/* Beyond the word to stop: whatever the runtime does at that moment, and delete. */
#define STOP_MS 100000

static const char *const end_words[BOX_END_COUNT] = {
    [BOX_OK] = "ok",
    [BOX_EXIT] = "exit",
    [BOX_SIGNAL] = "signal",
    [BOX_OOM] = "out_of_memory",
    [BOX_TIMEOUT] = "timeout",
    [BOX_OUTPUT_LIMIT] = "output_limit",
    [BOX_BAD_OUTPUT] = "bad_output",
    [BOX_START_FAILURE] = "start_failure",
    [BOX_EGRESS_LIMIT] = "egress_limit",
    [BOX_STOPPED] = "stopped",
};

const char *box_end_word(enum box_end end)
{
    return (unsigned)end < BOX_END_COUNT ? end_words[end] : "unknown";
}

void box_result_done(struct box_result *r)
{
    for (size_t i = 0; i < r->output_count; i++)
        close(r->outputs[i].fd);
    r->output_count = 0;
}

/* Between fork and exec only calls that are safe in a copy of a threaded process. */
static void become_supervisor(int sock, pid_t parent, bool egress)
{
    char *const argv[] = {"ogpu-worker", BOX_SUPERVISOR_WORD, egress ? EGRESS_WORD : NULL, NULL};
    static char *const env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                NULL};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* The parent's death kills us; and had it died before this line, its id would have changed. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(1);
    if (sock != 3 && dup2(sock, 3) < 0)
        _exit(1);
    if (sock == 3)
        fcntl(3, F_SETFD, 0);
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0)
        _exit(1);
    close_range(4, ~0U, 0);
    execve("/proc/self/exe", argv, env);
    _exit(1);
}

static enum err_code spawn(bool egress, int *sock, pid_t *pid, struct err *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return err_set(err, E_IO, "no socket for the supervisor: %s", strerror(errno));
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0)
        become_supervisor(pair[1], parent, egress);
    close(pair[1]);
    if (child < 0) {
        close(pair[0]);
        return err_set(err, E_IO, "no process for the supervisor: %s", strerror(errno));
    }
    *sock = pair[0];
    *pid = child;
    return E_OK;
}

/* Until the answer is there: pass on the word to stop, once, by closing our sending half. */
static void wait_for_answer(int sock, int stop_fd, int64_t patience_ms)
{
    bool told = stop_fd < 0;
    int64_t end = clock_mono_us() + patience_ms * 1000;
    for (;;) {
        int64_t left = (end - clock_mono_us()) / 1000;
        if (left <= 0)
            return; /* a stuck runtime or kernel: the caller ends the supervisor */
        struct pollfd rows[2] = {{.fd = sock, .events = POLLIN},
                                 {.fd = told ? -1 : stop_fd, .events = POLLIN}};
        int n = poll(rows, 2, left > 60000 ? 60000 : (int)left);
        if (n < 0 && errno != EINTR)
            return;
        if (n > 0 && rows[0].revents)
            return;
        if (n > 0 && rows[1].revents) {
            int64_t latest = clock_mono_us() + (int64_t)STOP_MS * 1000;
            shutdown(sock, SHUT_WR);
            told = true;
            end = latest < end ? latest : end;
        }
    }
}

static enum err_code ask(int sock, const json_t *request, const void *input, size_t n,
                         struct err *err)
{
    int fd = -1;
    enum err_code rc = wire_memfd(input, n, &fd, err);
    if (rc != E_OK)
        return rc;
    rc = wire_send(sock, request, &fd, 1, err);
    close(fd);
    return rc;
}

static enum err_code hear(int sock, struct box_result *out, struct err *err)
{
    int fds[BOX_OUTPUTS_MAX];
    size_t got = BOX_OUTPUTS_MAX;
    json_t *answer;
    struct pollfd row = {.fd = sock, .events = POLLIN};
    if (poll(&row, 1, 0) != 1)
        return err_set(err, E_TIMEOUT, "the supervisor does not answer");
    enum err_code rc = wire_receive(sock, &answer, fds, &got, err);
    if (rc != E_OK)
        return rc;
    rc = wire_to_result(answer, fds, got, out, err);
    json_decref(answer);
    for (size_t i = 0; rc != E_OK && i < got; i++)
        close(fds[i]);
    return rc;
}

/* A supervisor and the container that it keeps. */
struct box {
    int sock;
    pid_t pid;
    char cgroup[CGROUP_PATH_MAX + 80]; /* freezer_parent and id, to thaw what hangs */
    const char *id;                    /* into `cgroup` */
};

/* One question. */
struct question {
    json_t *request; /* taken */
    struct bytes input;
    int stop_fd;
    int64_t wall_ms;
};

/* Ask, and hear the answer. */
static enum err_code converse(int sock, const struct question *q, struct box_result *out,
                              struct err *err)
{
    enum err_code rc = ask(sock, q->request, q->input.p, q->input.n, err);
    json_decref(q->request);
    if (rc == E_OK) {
        wait_for_answer(sock, q->stop_fd, q->wall_ms + OVERHEAD_MS);
        rc = hear(sock, out, err);
    }
    return rc;
}

/* Whether the supervisor ends by itself in this time. */
static bool ends_within(pid_t pid, int ms)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd row = {.fd = fd, .events = POLLIN};
    bool ended = fd >= 0 && poll(&row, 1, ms) == 1;
    if (fd >= 0)
        close(fd);
    return ended;
}

static void reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/*
 * What is frozen does not die of a signal under cgroup v1: thaw until it is gone. What waits inside
 * a broken driver does not die at all; it keeps its cgroup and its mounts, which the next start of
 * the worker sweeps (workshop.c), and at most a dead child stays, until the worker ends.
 */
static void put_down(const struct box *b)
{
    int64_t end = clock_mono_us() + (int64_t)DEATH_MS * 1000;
    bool ended;
    kill(b->pid, SIGKILL);
    char parent[CGROUP_PATH_MAX];
    size_t n = (size_t)(b->id - b->cgroup) - 1;
    memcpy(parent, b->cgroup, n);
    parent[n] = '\0';
    do {
        (void)freezer_set(parent, b->id, false);
        ended = ends_within(b->pid, 50);
    } while (!ended && clock_mono_us() < end);
    if (ended)
        reap(b->pid);
    else
        log_error("supervisor_left", "pid=%d cgroup=%s", (int)b->pid, b->cgroup);
}

/*
 * Hang up on a supervisor that has answered, or has to end.
 *
 * @patience_ms  what it gets for that
 * @return whether it ended by itself, and so all of its container with it; otherwise what is left
 *         of that may be beyond any signal
 */
static bool hang_up(const struct box *b, int patience_ms)
{
    close(b->sock);
    bool ended = ends_within(b->pid, patience_ms);
    if (ended)
        reap(b->pid);
    else
        log_warn("supervisor_hangs", "pid=%d cgroup=%s", (int)b->pid, b->cgroup);
    if (!ended)
        put_down(b);
    return ended;
}

static enum err_code open_box(const struct box_spec *spec, struct box **out, struct err *err)
{
    struct box *b = calloc(1, sizeof(*b));
    if (!b || strlen(spec->cgroup_parent) >= CGROUP_PATH_MAX || strlen(spec->id) > 64) {
        free(b);
        return err_set(err, E_INTERNAL, "no room for a container's name");
    }
    snprintf(b->cgroup, sizeof(b->cgroup), "%s/%s", spec->cgroup_parent, spec->id);
    b->id = b->cgroup + strlen(spec->cgroup_parent) + 1;
    enum err_code rc = spawn(spec->egress != NULL, &b->sock, &b->pid, err);
    if (rc == E_OK)
        *out = b;
    else
        free(b);
    return rc;
}

void box_close(struct box *b)
{
    if (!b)
        return;
    /* It kills and deletes its container when we hang up. */
    (void)hang_up(b, CLOSE_MS);
    free(b);
}

enum err_code box_begin(const struct box_spec *spec, struct bytes input, int stop_fd,
                        struct box_result *out, struct box **kept, struct err *err)
{
    struct box *b = NULL;
    enum err_code rc = open_box(spec, &b, err);
    *kept = NULL;
    if (rc != E_OK || !b)
        return rc;
    struct question q = {wire_from_spec(spec), input, stop_fd, spec->limits.wall_ms};
    rc = converse(b->sock, &q, out, err);
    if (rc == E_OK && out->kept) {
        *kept = b;
        return E_OK;
    }
    /* It has answered and ends, or is broken; either way nothing of it may stay. */
    out->stuck = rc == E_TIMEOUT;
    if (rc == E_OK) {
        out->stuck = !hang_up(b, END_MS);
    } else {
        close(b->sock);
        put_down(b);
    }
    free(b);
    return rc;
}

enum err_code box_again(struct box *b, const struct box_task *task, struct bytes input, int stop_fd,
                        struct box_result *out, struct err *err)
{
    struct question q = {wire_from_task(task), input, stop_fd, task->wall_ms};
    return converse(b->sock, &q, out, err);
}

enum err_code box_run(const struct box_spec *spec, const void *input, size_t input_len, int stop_fd,
                      struct box_result *out, struct err *err)
{
    struct box_spec once = *spec;
    struct box *none = NULL;
    once.keep = false;
    enum err_code rc = box_begin(&once, (struct bytes){input, input_len}, stop_fd, out, &none, err);
    box_close(none);
    return rc;
}
