/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "workers/contain/house.h"
#include "workers/contain/life.h"
#include "workers/contain/outputs.h"
#include "workers/contain/watch.h"
#include "workers/contain/wire.h"

/* The request's input, mapped: it is a sealed memory file. */
struct input {
    int fd;
    const void *p;
    size_t n;
};

static enum err_code map_input(int fd, struct input *in, struct err *err)
{
    struct stat st;
    in->fd = fd;
    if (fstat(fd, &st) != 0)
        return err_set(err, E_IO, "the input: %s", strerror(errno));
    in->n = (size_t)st.st_size;
    in->p = "";
    if (in->n == 0)
        return E_OK;
    void *p = mmap(NULL, in->n, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return err_set(err, E_IO, "the input: %s", strerror(errno));
    in->p = p;
    return E_OK;
}

static void start_failure(struct box_result *r, const struct err *err)
{
    r->end = BOX_START_FAILURE;
    snprintf(r->reason, sizeof(r->reason), "%s", err->text);
}

/* The run itself; every failure below is an end of the run, not of the supervisor. */
static void run(const struct box_spec *spec, const struct input *in, int control,
                struct box_result *r)
{
    struct err err = {0};
    struct life life;
    struct watch w;
    int64_t begun = clock_mono_us();
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    enum err_code rc = life_create(&life, spec, spec->contract == BOX_EXEC ? in->fd : null, &err);
    watch_begin(&w, &life, control, r);
    if (rc == E_OK && spec->contract == BOX_HTTP)
        rc = watch_serve(&w, in->p, in->n, &err);
    if (rc == E_OK)
        rc = life_start(&life, &err);
    if (rc != E_OK) {
        start_failure(r, &err);
    } else {
        r->usage.start_ms = (clock_mono_us() - begun) / 1000;
        watch_until_end(&w);
        r->usage.wall_ms = (clock_mono_us() - begun) / 1000 - r->usage.start_ms;
    }
    life_end(&life, &r->usage);
    watch_done(&w);
    if (null >= 0)
        close(null);
}

/* Everything the source left, if its run was good. */
static void gather(const struct box_spec *spec, struct box_result *r)
{
    struct err err;
    if (r->end != BOX_OK)
        return;
    int dir = open(HOUSE_OUT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || outputs_collect(dir, &spec->limits, r, &err) != E_OK) {
        r->end = BOX_BAD_OUTPUT;
        snprintf(r->reason, sizeof(r->reason), "the output folder cannot be read");
    }
    if (dir >= 0)
        close(dir);
}

static int serve(int sock)
{
    struct err err = {0};
    int fd = -1;
    size_t n = 1;
    json_t *request;
    if (wire_receive(sock, &request, &fd, &n, &err) != E_OK || n != 1)
        return 1;
    static struct box_result r; /* large, and this process makes one */
    struct box_spec spec;
    struct input in = {.fd = -1};
    enum err_code rc = wire_to_spec(request, &spec, &err);
    if (rc == E_OK)
        rc = map_input(fd, &in, &err);
    if (rc == E_OK)
        rc = house_build(&spec, &err);
    if (rc != E_OK) {
        start_failure(&r, &err);
    } else {
        run(&spec, &in, sock, &r);
        gather(&spec, &r);
    }
    if (r.end != BOX_OK)
        box_result_done(&r);
    int fds[BOX_OUTPUTS_MAX];
    for (size_t i = 0; i < r.output_count; i++)
        fds[i] = r.outputs[i].fd;
    json_t *reply = wire_from_result(&r);
    rc = wire_send(sock, reply, fds, r.output_count, &err);
    json_decref(reply);
    json_decref(request);
    return rc == E_OK ? 0 : 1;
}

/*
 * Both stages die with their parent: the second one is init of the pid namespace, so all dies with
 * it. The parent may have died before the first line here; then the pipe that it held open is shut.
 */
static bool die_with_parent(int alive)
{
    struct pollfd row = {.fd = alive, .events = POLLIN};
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && poll(&row, 1, 0) == 0;
}

int box_supervisor_main(int sock)
{
    log_open("ogpu-supervisor", LOG_LEVEL_INFO);
    signal(SIGPIPE, SIG_IGN);
    if (fcntl(sock, F_SETFD, FD_CLOEXEC) != 0 || unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) {
        log_error("no_namespaces", "why=%s", strerror(errno));
        return 1;
    }
    int alive[2];
    if (pipe2(alive, O_CLOEXEC) != 0)
        return 1;
    pid_t pid = fork();
    if (pid < 0)
        return 1;
    if (pid == 0) {
        close(alive[1]);
        if (!die_with_parent(alive[0]))
            _exit(1);
        (void)setsid();
        _exit(serve(sock));
    }
    close(sock);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    /* Nothing to flush, nothing to tidy: and no exit handler of a library to run beside a dead
     * child. */
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}
