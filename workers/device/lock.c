/* SPDX-License-Identifier: MIT */
#include "workers/device/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workers/device/quarantine.h"

#define CLEAN "clean\n"

bool lock_folder(const char *dir)
{
    return (mkdir(dir, 0755) == 0 || errno == EEXIST) && access(dir, W_OK | X_OK) == 0;
}

static int open_file(const char *dir, const char *uuid)
{
    char path[512];
    quarantine_path(dir, uuid, ".lock", path, sizeof(path));
    return open(path, O_CREAT | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0600);
}

int lock_take(const char *dir, const char *uuid, bool *clean)
{
    char text[16] = "";
    int fd = open_file(dir, uuid);
    if (fd < 0)
        return -1;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int e = errno;
        close(fd);
        errno = e;
        return -1;
    }
    *clean = pread(fd, text, sizeof(text) - 1, 0) > 0 && strcmp(text, CLEAN) == 0;
    return fd;
}

bool lock_is_held(const char *dir, const char *uuid)
{
    int fd = open_file(dir, uuid);
    if (fd < 0)
        return false;
    bool held = flock(fd, LOCK_EX | LOCK_NB) != 0;
    close(fd);
    return held;
}

bool lock_mark(int lock, bool clean)
{
    return ftruncate(lock, 0) == 0 &&
           (!clean || pwrite(lock, CLEAN, strlen(CLEAN), 0) == (ssize_t)strlen(CLEAN));
}

void lock_drop(int lock)
{
    if (lock >= 0)
        close(lock);
}
