/* SPDX-License-Identifier: MIT */
#include "workers/contain/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "workers/contain/house.h"

/* Start-up of a container takes tens of milliseconds; a runtime that needs this long is stuck. */
#define RUNTIME_TIMEOUT_MS 30000
/* Killed processes end at once; what does not is left to `delete`, which waits longer. */
#define HELPERS_END_MS 3000

static const char *const folders[] = {"/usr/bin",        "/usr/sbin", "/usr/local/bin",
                                      "/usr/local/sbin", "/bin",      "/sbin"};

static char *const clean_env[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "XDG_RUNTIME_DIR=/run",
    NULL};

enum err_code runtime_find(const char *name, char *out, size_t size, struct err *err)
{
    char path[4096];
    if (name[0] == '/') {
        snprintf(path, sizeof(path), "%s", name);
    } else {
        path[0] = '\0';
        for (size_t i = 0; i < ARRAY_LEN(folders) && strchr(name, '/') == NULL; i++) {
            snprintf(path, sizeof(path), "%s/%s", folders[i], name);
            if (access(path, X_OK) == 0)
                break;
            path[0] = '\0';
        }
    }
    if (path[0] == '\0' || access(path, X_OK) != 0 || strlen(path) >= size)
        return err_set(err, E_CONFIG,
                       "no OCI runtime '%.60s' on this machine: install crun or runc", name);
    memcpy(out, path, strlen(path) + 1);
    return E_OK;
}

bool runtime_is_gvisor(const char *path)
{
    const char *slash = strrchr(path, '/');
    return strcmp(slash ? slash + 1 : path, "runsc") == 0;
}

/* Wait for one child with a deadline; it is killed beyond it. @return its wait status, -1 for none.
 */
static int reap(pid_t pid)
{
    int64_t end = clock_mono_us() + (int64_t)RUNTIME_TIMEOUT_MS * 1000;
    int fd = (int)syscall(434 /* pidfd_open */, pid, 0);
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (fd >= 0) {
        int64_t left = (end - clock_mono_us()) / 1000;
        int n = poll(&p, 1, left > 0 ? (int)left : 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            kill(pid, SIGKILL);
        break;
    }
    if (fd >= 0)
        close(fd);
    int status = -1;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -1;
    }
    return status;
}

/* The supervisor's bound is its own: a runtime may need more, and the source has its cgroup. */
static void lift_memory(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_DATA, &r) != 0)
        return;
    r.rlim_cur = r.rlim_max;
    (void)setrlimit(RLIMIT_DATA, &r);
}

static int run(const char *path, char *const argv[], const int stdio[3])
{
    pid_t pid = fork();
    if (pid < 0)
        return -1;
    if (pid == 0) {
        signal(SIGPIPE, SIG_DFL); /* the source inherits what is ignored here */
        lift_memory();
        for (int i = 0; i < 3; i++) {
            if (dup2(stdio[i], i) < 0)
                _exit(127);
        }
        close_range(3, ~0U, 0);
        execve(path, argv, clean_env);
        _exit(127);
    }
    return reap(pid);
}

enum err_code runtime_version(const char *path, char *out, size_t size, struct err *err)
{
    int p[2];
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0 || pipe2(p, O_CLOEXEC) != 0)
        return err_set(err, E_IO, "no pipe: %s", strerror(errno));
    char *const argv[] = {(char *)path, "--version", NULL};
    int status = run(path, argv, (int[]){null, p[1], null});
    close(p[1]);
    close(null);
    char text[512];
    ssize_t n = read(p[0], text, sizeof(text) - 1);
    close(p[0]);
    if (status != 0 || n <= 0)
        return err_set(err, E_CONFIG, "it does not run: %.100s", path);
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    snprintf(out, size, "%s", text);
    return E_OK;
}

/* The runtime's last complaint as one printable line. */
static void complaint(const char *log, char *out, size_t size)
{
    char text[4096];
    out[0] = '\0';
    int fd = open(log, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    off_t end = lseek(fd, 0, SEEK_END);
    off_t from = end > (off_t)sizeof(text) - 1 ? end - (off_t)sizeof(text) + 1 : 0;
    ssize_t n = pread(fd, text, sizeof(text) - 1, from);
    close(fd);
    if (n <= 0)
        return;
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
        n--;
    text[n] = '\0';
    char *line = strrchr(text, '\n');
    snprintf(out, size, "%.150s", line ? line + 1 : text);
    for (char *c = out; *c; c++) {
        if (*c < ' ' || *c > '~')
            *c = '?';
    }
}

/*
 * gVisor's own words: no layer to write over the image (its file would lie in the image's folder),
 * our seccomp list inside too, and a network of its own, unless sockets that we make in the
 * container's network namespace have to meet the source.
 */
static size_t add_gvisor(const struct runtime *rt, char **argv)
{
    size_t n = 0;
    argv[n++] = "--platform=systrap";
    argv[n++] = "--overlay2=none";
    argv[n++] = "--oci-seccomp";
    argv[n++] = rt->sockets ? "--network=host" : "--network=none";
    return n;
}

static enum err_code call(const struct runtime *rt, char *const verb[], const int stdio[3],
                          struct err *err)
{
    char *argv[24] = {(char *)rt->path, "--root", (char *)rt->state, "--log", (char *)rt->log};
    size_t n = 5;
    if (runtime_is_gvisor(rt->path))
        n += add_gvisor(rt, argv + n);
    for (size_t i = 0; verb[i] && n < ARRAY_LEN(argv) - 1; i++)
        argv[n++] = verb[i];
    int status = run(rt->path, argv, stdio);
    if (status == 0)
        return E_OK;
    char text[160];
    complaint(rt->log, text, sizeof(text));
    return err_set(err, E_IO, "runtime %s failed (%d): %s", verb[0], status,
                   text[0] ? text : "no message");
}

static enum err_code quiet_call(const struct runtime *rt, char *const verb[], struct err *err)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null < 0)
        return err_set(err, E_IO, "no /dev/null: %s", strerror(errno));
    enum err_code rc = call(rt, verb, (int[]){null, null, null}, err);
    close(null);
    return rc;
}

enum err_code runtime_create(const struct runtime *rt, const int stdio[3], pid_t *pid,
                             struct err *err)
{
    char *const verb[] = {"create",       "--bundle", (char *)rt->bundle, "--pid-file", HOUSE_PID,
                          (char *)rt->id, NULL};
    enum err_code rc = call(rt, verb, stdio, err);
    if (rc != E_OK)
        return rc;
    char text[32] = "";
    int fd = open(HOUSE_PID, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    long value = n > 0 ? strtol(text, NULL, 10) : 0;
    if (value <= 1)
        return err_set(err, E_IO, "runtime create left no process id");
    *pid = (pid_t)value;
    return E_OK;
}

enum err_code runtime_start(const struct runtime *rt, struct err *err)
{
    char *const verb[] = {"start", (char *)rt->id, NULL};
    return quiet_call(rt, verb, err);
}

/* gVisor's helpers became our children when `create` ended. `delete` waits for them to be gone, and
 * a dead child is not gone before its parent has looked. */
static void reap_helpers(void)
{
    int64_t end = clock_mono_us() + (int64_t)HELPERS_END_MS * 1000;
    struct timespec pause = {0, 2000000};
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG)) >= 0 && clock_mono_us() < end) {
        if (pid == 0)
            nanosleep(&pause, NULL);
    }
}

enum err_code runtime_delete(const struct runtime *rt, struct err *err)
{
    char *const verb[] = {"delete", "--force", (char *)rt->id, NULL};
    if (runtime_is_gvisor(rt->path))
        reap_helpers();
    return quiet_call(rt, verb, err);
}
