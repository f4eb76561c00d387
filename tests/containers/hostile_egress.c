/* SPDX-License-Identifier: MIT */
/* What a source may do to the proxy that is its only network. */
#include "hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PROXY_PORT 3128
#define HEARD_MAX  4096
#define MANY_MAX   128

/* All that comes until the end; the first of it is kept. */
static void hear(int fd, char *kept)
{
    char bytes[4096];
    size_t n = 0;
    ssize_t got;
    while ((got = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
        size_t room = HEARD_MAX - 1 - n;
        size_t take = (size_t)got < room ? (size_t)got : room;
        memcpy(kept + n, bytes, take);
        n += take;
    }
    kept[n] = '\0';
}

static void tell_answer(int i, int fd)
{
    char name[16];
    char kept[HEARD_MAX] = "";
    snprintf(name, sizeof(name), "%d", i);
    if (fd < 0)
        snprintf(kept, sizeof(kept), "errno %d", -fd);
    else
        hear(fd, kept);
    tell_text(name, kept);
    if (fd >= 0)
        close(fd);
}

/* Each argument is what is sent on a connection of its own. */
static void ask(int n, char **requests)
{
    for (int i = 0; i < n; i++) {
        int fd = dial(PROXY_PORT);
        if (fd >= 0)
            say(fd, requests[i], strlen(requests[i]));
        tell_answer(i, fd);
    }
}

/* All connections first, then the requests, then the answers. */
static void ask_many(int n, const char *request)
{
    char kept[HEARD_MAX];
    int fds[MANY_MAX];
    long good = 0;
    for (int i = 0; i < n && i < MANY_MAX; i++)
        fds[i] = dial(PROXY_PORT);
    for (int i = 0; i < n && i < MANY_MAX; i++)
        say(fds[i], request, strlen(request));
    for (int i = 0; i < n && i < MANY_MAX; i++) {
        hear(fds[i], kept);
        good += strncmp(kept, "HTTP/1.1 200", 12) == 0;
    }
    tell("good", good);
}

/* A head that has no end, as fast or as slowly as can be. */
static void ask_without_end(unsigned pause_us)
{
    static const char line[] = "X-More: and more and more\r\n";
    int fd = dial(PROXY_PORT);
    say(fd, "GET http://mirror.egress.test/ HTTP/1.1\r\n", 41);
    for (int i = 0; i < 4000 && say(fd, line, pause_us ? 1 : sizeof(line) - 1); i++) {
        if (pause_us)
            usleep(pause_us);
    }
    tell_answer(0, fd);
}

/* A tunnel, and so many bytes into it. */
static void push(const char *request, long bytes)
{
    char answer[128];
    char block[4096];
    int fd = dial(PROXY_PORT);
    say(fd, request, strlen(request));
    ssize_t n = recv(fd, answer, sizeof(answer) - 1, 0);
    answer[n > 0 ? n : 0] = '\0';
    tell_text("tunnel", answer);
    memset(block, 'x', sizeof(block));
    for (long left = bytes; left > 0;) {
        size_t now = left < (long)sizeof(block) ? (size_t)left : sizeof(block);
        if (!say(fd, block, now))
            break;
        left -= (long)now;
    }
    shutdown(fd, SHUT_WR);
    tell_answer(0, fd);
}

void egress(const char *act, int argc, char **argv)
{
    const char *first = argc > 0 ? argv[0] : "";
    if (strcmp(act, "ask") == 0)
        ask(argc, argv);
    else if (strcmp(act, "many") == 0)
        ask_many(argc > 1 ? atoi(argv[1]) : 0, first);
    else if (strcmp(act, "huge") == 0)
        ask_without_end(0);
    else if (strcmp(act, "slow") == 0)
        ask_without_end(500000);
    else if (strcmp(act, "push") == 0)
        push(first, argc > 1 ? atol(argv[1]) : 0);
    else if (strcmp(act, "env") == 0)
        for (int i = 0; i < argc; i++)
            tell_text(argv[i], getenv(argv[i]) ? getenv(argv[i]) : "");
}
