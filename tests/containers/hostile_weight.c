/* SPDX-License-Identifier: MIT */
/* Services that want whoever reads their callbacks to hold much memory. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hostile.h"

#define CALLERS 4
#define MIB     (1 << 20)

static char block[MIB];

/* A connection to the callback, its head said. @length  what it says of its body */
static int begin(const char *path, size_t length)
{
    char head[256];
    int fd = dial(CALLBACK_PORT);
    if (fd < 0)
        _exit(5);
    int n = snprintf(head, sizeof(head),
                     "POST /%s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", path, length);
    say(fd, head, (size_t)n);
    return fd;
}

/* Now is the time to look at what is held: whoever looks says when he has. */
static void be_looked_at(void)
{
    int got;
    sigset_t word;
    sigemptyset(&word);
    sigaddset(&word, SIGUSR1);
    sigprocmask(SIG_BLOCK, &word, NULL);
    prctl(PR_SET_NAME, "heavy");
    sigwait(&word, &got);
}

/* As many bodies at once as there are places, each so many MiB of the length that it claims. */
static void bodies(const char *path, size_t length, int mib)
{
    int fds[CALLERS];
    for (int i = 0; i < CALLERS; i++)
        fds[i] = begin(path, length);
    for (int m = 0; m < mib; m++) {
        for (int i = 0; i < CALLERS; i++)
            say(fds[i], block, sizeof(block));
    }
    be_looked_at();
    for (int i = 0; i < CALLERS; i++)
        close(fds[i]);
}

/* JSON that is small as text and large as what most readers make of it. */
static char *many_objects(size_t size)
{
    static const char head[] = "{\"a\":[{}";
    static const char tail[] = "]}";
    char *text = malloc(size + 1);
    size_t n = sizeof(head) - 1;
    memcpy(text, head, n);
    while (n + 3 + sizeof(tail) - 1 <= size) {
        memcpy(text + n, ",{}", 3);
        n += 3;
    }
    memcpy(text + n, tail, sizeof(tail));
    return text;
}

int serve_heavily(const char *what, const char *task)
{
    memset(block, ' ', sizeof(block));
    if (strcmp(what, "heavy-others") == 0) {
        bodies("nonsense", (size_t)64 * MIB, 64);
    } else if (strcmp(what, "heavy-own") == 0) {
        bodies(task, (size_t)16 * MIB, 15);
    } else if (strcmp(what, "heavy-endless") == 0) {
        int fd = begin(task, (size_t)1 << 30);
        while (say(fd, block, sizeof(block)))
            ;
    } else if (strcmp(what, "heavy-objects") == 0) {
        call_back("POST", task, many_objects((size_t)15 * MIB));
    } else {
        return 0;
    }
    call_back("POST", task, "{\"heavy\":true}");
    return 1;
}
