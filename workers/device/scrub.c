/* SPDX-License-Identifier: MIT */
#include "workers/device/scrub.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/log.h"

#define SCRUB_MS 90000
#define KILL_MS  5000

extern char **environ;

/* Start it with one pipe for its line. @return its id, or -1. */
static pid_t start(const char *uuid, int out)
{
    char name[DEVICE_UUID_MAX];
    char program[] = "ogpu-worker";
    char word[] = SCRUB_WORD;
    char *argv[] = {program, word, name, NULL};
    posix_spawn_file_actions_t files;
    pid_t pid = -1;
    snprintf(name, sizeof(name), "%s", uuid);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, 1);
    if (posix_spawn(&pid, "/proc/self/exe", &files, NULL, argv, environ) != 0)
        pid = -1;
    posix_spawn_file_actions_destroy(&files);
    return pid;
}

static bool ends_within(int pidfd, int ms)
{
    struct pollfd row = {.fd = pidfd, .events = POLLIN};
    int n;
    do {
        n = poll(&row, 1, ms);
    } while (n < 0 && errno == EINTR);
    return n == 1;
}

/* A process that waits inside a broken driver cannot be killed, nor waited for. */
static bool await(pid_t pid, int *status)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0)
        return false;
    bool ended = ends_within(pidfd, SCRUB_MS);
    if (!ended) {
        kill(pid, SIGKILL);
        bool dead = ends_within(pidfd, KILL_MS);
        close(pidfd);
        if (dead)
            waitpid(pid, status, 0);
        return false;
    }
    close(pidfd);
    return waitpid(pid, status, 0) == pid && WIFEXITED(*status);
}

enum scrub_end device_scrub(const char *uuid, char why[SCRUB_TEXT_MAX])
{
    static const char *const reasons[] = {
        [SCRUB_CLEAN] = "",
        [SCRUB_NO_DRIVER] = "there is no usable CUDA driver (libcuda.so.1) to scrub it with",
        [SCRUB_RESIDUE] = "memory held bytes after it was zeroed",
        [SCRUB_PARTIAL] = "not all of its memory could be had",
        [SCRUB_HELD] = "processes are on it still",
        [SCRUB_FAILED] = "the CUDA driver failed while scrubbing",
    };
    int pipe_fd[2];
    int status = 0;
    char line[512] = "";
    snprintf(why, SCRUB_TEXT_MAX, "the scrubber could not be started");
    if (pipe2(pipe_fd, O_CLOEXEC) != 0)
        return SCRUB_FAILED;
    pid_t pid = start(uuid, pipe_fd[1]);
    close(pipe_fd[1]);
    bool ended = pid > 0 && await(pid, &status);
    ssize_t n = ended ? read(pipe_fd[0], line, sizeof(line) - 1) : 0;
    close(pipe_fd[0]);
    if (!ended) {
        if (pid > 0)
            snprintf(why, SCRUB_TEXT_MAX, "the scrubber did not come back in %d s",
                     SCRUB_MS / 1000);
        return SCRUB_FAILED;
    }
    line[n > 0 ? strcspn(line, "\n") : 0] = '\0';
    enum scrub_end end =
        WEXITSTATUS(status) <= SCRUB_FAILED ? (enum scrub_end)WEXITSTATUS(status) : SCRUB_FAILED;
    log_info("scrubbed", "device=%s end=%d report=%s", uuid, (int)end, line);
    snprintf(why, SCRUB_TEXT_MAX, "%s", reasons[end]);
    return end;
}
