/* SPDX-License-Identifier: MIT */
#include "workers/contain/life.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/log.h"
#include "workers/contain/cgroup.h"
#include "workers/contain/house.h"
#include "workers/contain/spec.h"

static void shut(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* gVisor brings a network up that it has itself; of the namespace that our sockets and the source's
 * meet in, `lo` is left down. */
static bool raise_loopback(const struct life *l)
{
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = life_socket(l);
    bool ok = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

static enum err_code open_handles(struct life *l, struct err *err)
{
    char path[64];
    l->pidfd = (int)syscall(SYS_pidfd_open, l->pid, 0);
    if (l->pidfd < 0)
        return err_set(err, E_IO, "the container's init vanished: %s", strerror(errno));
    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)l->pid);
    l->netns = open(path, O_RDONLY | O_CLOEXEC);
    if (l->netns < 0)
        return err_set(err, E_IO, "the container's network namespace: %s", strerror(errno));
    if (l->rt.sockets && !raise_loopback(l))
        return err_set(err, E_IO, "the container's loopback: %s", strerror(errno));
    return E_OK;
}

enum err_code life_create(struct life *l, const struct box_spec *spec, int stdin_fd,
                          struct err *err)
{
    *l = (struct life){.spec = spec, .pidfd = -1, .netns = -1, .out = -1, .log = -1};
    l->rt = (struct runtime){spec->runtime, HOUSE_STATE, HOUSE, spec->id, HOUSE_LOG, false};
    bool gvisor = runtime_is_gvisor(spec->runtime);
    l->rt.sockets = gvisor && (spec->contract == BOX_HTTP || spec->egress);
    if (gvisor && spec->card)
        return err_set(err, E_CONFIG, "cards are not carried under gVisor: use crun");
    enum err_code rc = spec_write(spec, HOUSE, err);
    if (rc != E_OK)
        return rc;
    int out[2];
    int log[2];
    if (pipe2(out, O_CLOEXEC) != 0)
        return err_set(err, E_IO, "no pipe: %s", strerror(errno));
    if (pipe2(log, O_CLOEXEC) != 0) {
        close(out[0]);
        close(out[1]);
        return err_set(err, E_IO, "no pipe: %s", strerror(errno));
    }
    l->out = out[0];
    l->log = log[0];
    fcntl(l->out, F_SETFL, O_NONBLOCK);
    fcntl(l->log, F_SETFL, O_NONBLOCK);
    l->created = true;
    rc = runtime_create(&l->rt, (int[]){stdin_fd, out[1], log[1]}, &l->pid, err);
    close(out[1]);
    close(log[1]);
    return rc == E_OK ? open_handles(l, err) : rc;
}

enum err_code life_start(struct life *l, struct err *err)
{
    return runtime_start(&l->rt, err);
}

/* What is asked of the thread that goes in, and what it brings. */
struct errand {
    int netns;
    int fd;
    int error;
};

static void *fetch_socket(void *arg)
{
    struct errand *e = arg;
    if (setns(e->netns, CLONE_NEWNET) == 0)
        e->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    e->error = errno;
    return NULL;
}

/*
 * A socket belongs to the network of the thread that makes it. That thread never comes back: where
 * the worker is not root it could not, and a later socket of ours made there would be the source's
 * prey.
 */
int life_socket(const struct life *l)
{
    struct errand e = {l->netns, -1, 0};
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, fetch_socket, &e);
    if (rc == 0)
        pthread_join(thread, NULL);
    errno = rc == 0 ? e.error : rc;
    return e.fd;
}

void life_kill(const struct life *l)
{
    if (l->pidfd >= 0)
        (void)syscall(SYS_pidfd_send_signal, l->pidfd, SIGKILL, NULL, 0);
}

int life_reap(const struct life *l, int *status)
{
    siginfo_t info = {0};
    *status = 0;
    if (l->pidfd < 0)
        return 0;
    while (waitid((idtype_t)P_PIDFD, (id_t)l->pidfd, &info, WEXITED) != 0) {
        if (errno != EINTR)
            return 0;
    }
    *status = info.si_status;
    return info.si_code;
}

void life_end(struct life *l, struct box_usage *usage)
{
    struct err err;
    life_kill(l);
    if (l->created) {
        /* Before delete: it takes the cgroup and its counters away. */
        cgroup_counters(l->spec->cgroup_parent, l->spec->id, usage);
        if (runtime_delete(&l->rt, &err) != E_OK)
            log_warn("container_not_deleted", "id=%s why=%s", l->spec->id, err.text);
    }
    l->created = false;
    shut(&l->pidfd);
    shut(&l->netns);
    shut(&l->out);
    shut(&l->log);
}
