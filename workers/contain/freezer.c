/* SPDX-License-Identifier: MIT */
#include "workers/contain/freezer.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "workers/contain/cgroup.h"

#define MOUNT       "/sys/fs/cgroup"
#define PATIENCE_US 1000000

const char *freezer_thaw_word(void)
{
    return cgroup_is_v2() ? "0" : "THAWED";
}

void freezer_file(const char *parent, const char *id, char *out, size_t size)
{
    if (cgroup_is_v2())
        snprintf(out, size, MOUNT "%s/%s/cgroup.freeze", parent, id);
    else
        snprintf(out, size, MOUNT "/freezer%s/%s/freezer.state", parent, id);
}

static bool spit(const char *path, const char *word)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool ok = write(fd, word, strlen(word)) == (ssize_t)strlen(word);
    close(fd);
    return ok;
}

static bool says(const char *path, const char *word)
{
    char text[256];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[n > 0 ? n : 0] = '\0';
    return strstr(text, word) != NULL;
}

bool freezer_set(const char *parent, const char *id, bool frozen)
{
    char file[CGROUP_PATH_MAX + 128];
    char events[CGROUP_PATH_MAX + 128];
    bool v2 = cgroup_is_v2();
    freezer_file(parent, id, file, sizeof(file));
    snprintf(events, sizeof(events), MOUNT "%s/%s/cgroup.events", parent, id);
    const char *word = v2 ? (frozen ? "1" : "0") : (frozen ? "FROZEN" : "THAWED");
    const char *state = v2 ? (frozen ? "frozen 1" : "frozen 0") : word;
    int64_t end = clock_mono_us() + PATIENCE_US;
    if (!spit(file, word))
        return false;
    while (!says(v2 ? events : file, state)) {
        struct timespec pause = {0, 500000};
        if (clock_mono_us() > end)
            return false;
        nanosleep(&pause, NULL);
        /* v1: a task that was forking is caught by asking again */
        if (!v2 && !spit(file, word))
            return false;
    }
    return true;
}

void freezer_thaw_all(const char *parent, const char *prefix)
{
    char path[CGROUP_PATH_MAX + 320];
    snprintf(path, sizeof(path), MOUNT "%s%s", cgroup_is_v2() ? "" : "/freezer", parent);
    DIR *d = opendir(path);
    /* cppcheck-suppress readdirCalled ; the DIR is this thread's own */
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
        if (strncmp(e->d_name, prefix, strlen(prefix)) == 0) {
            freezer_file(parent, e->d_name, path, sizeof(path));
            (void)spit(path, freezer_thaw_word());
        }
    }
    if (d)
        closedir(d);
}
