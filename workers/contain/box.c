/* SPDX-License-Identifier: MIT */
#include "workers/contain/box.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "workers/contain/wire.h"

/* Beyond the run's own time: create, start and delete have 30 s each, reading outputs the rest. */
#define OVERHEAD_MS 180000

static const char *const end_words[BOX_END_COUNT] = {
    [BOX_OK] = "ok",
    [BOX_EXIT] = "exit",
    [BOX_SIGNAL] = "signal",
    [BOX_OOM] = "out_of_memory",
    [BOX_TIMEOUT] = "timeout",
    [BOX_OUTPUT_LIMIT] = "output_limit",
    [BOX_BAD_OUTPUT] = "bad_output",
    [BOX_START_FAILURE] = "start_failure",
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
static void become_supervisor(int sock, pid_t parent)
{
    static char *const argv[] = {"ogpu-worker", BOX_SUPERVISOR_WORD, NULL};
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

static enum err_code spawn(int *sock, pid_t *pid, struct err *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return err_set(err, E_IO, "no socket for the supervisor: %s", strerror(errno));
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0)
        become_supervisor(pair[1], parent);
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
            shutdown(sock, SHUT_WR);
            told = true;
        }
    }
}

static enum err_code ask(int sock, const struct box_spec *spec, const void *input, size_t n,
                         struct err *err)
{
    int fd = -1;
    enum err_code rc = wire_memfd(input, n, &fd, err);
    if (rc != E_OK)
        return rc;
    json_t *request = wire_from_spec(spec);
    rc = wire_send(sock, request, &fd, 1, err);
    json_decref(request);
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

enum err_code box_run(const struct box_spec *spec, const void *input, size_t input_len, int stop_fd,
                      struct box_result *out, struct err *err)
{
    int sock = -1;
    pid_t pid = -1;
    enum err_code rc = spawn(&sock, &pid, err);
    if (rc != E_OK)
        return rc;
    rc = ask(sock, spec, input, input_len, err);
    if (rc == E_OK) {
        wait_for_answer(sock, stop_fd, spec->limits.wall_ms + OVERHEAD_MS);
        rc = hear(sock, out, err);
    }
    close(sock);
    /* It has answered or is broken; either way nothing of it may stay. */
    if (rc != E_OK)
        kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return rc;
}
