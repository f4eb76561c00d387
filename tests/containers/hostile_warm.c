/* SPDX-License-Identifier: MIT */
/*
 * A service that takes one task after the other, as upstream's do, and tells what it still knows of
 * earlier ones. The input's "do" says with what fault it serves this task.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hostile.h"

static char request[65536];
static char task[64];

static int asked(const char *what)
{
    char text[64];
    snprintf(text, sizeof(text), "\"do\":\"%s\"", what);
    return strstr(request, text) != NULL;
}

static int files_in(const char *dir)
{
    int n = 0;
    DIR *d = opendir(dir);
    /* cppcheck-suppress readdirCalled ; the DIR is this thread's own */
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

/* One byte of every page: memory that counts. */
static void hold(size_t mib)
{
    volatile char *p = malloc(mib << 20);
    for (size_t i = 0; p && i < mib << 20; i += 4096)
        p[i] = 1;
}

static void leave(const char *path)
{
    FILE *f = fopen(path, "w");
    if (f) {
        fputs("mine", f);
        fclose(f);
    }
}

static int read_request(int fd)
{
    size_t n = 0;
    while (n < sizeof(request) - 1) {
        ssize_t got = recv(fd, request + n, sizeof(request) - 1 - n, 0);
        if (got <= 0)
            return 0;
        n += (size_t)got;
        request[n] = '\0';
        const char *body = strstr(request, "\r\n\r\n");
        const char *length = strstr(request, "Content-Length:");
        if (body && length && strlen(body + 4) >= strtoul(length + 15, NULL, 10))
            return sscanf(request, "POST /run/run/%63s", task) == 1;
    }
    return 0;
}

/* @return 0 when the service goes on */
static int serve_one(int listener, int served)
{
    char body[256];
    char before[64];
    int fd = accept(listener, NULL, NULL);
    memcpy(before, task, sizeof(before));
    if (!read_request(fd)) {
        close(fd);
        return 0;
    }
    dprintf(fd, "HTTP/1.1 %s\r\nContent-Length: 2\r\n\r\n{}",
            asked("teapot") ? "418 I'm a teapot" : "202 Accepted");
    close(fd);
    if (asked("hang") || asked("teapot"))
        return 0;
    if (asked("hold"))
        hold(24);
    if (asked("other"))
        call_back("POST", before[0] ? before : "0x00", "{\"late\":true}");
    snprintf(body, sizeof(body), "{\"served\":%d,\"tmp\":%d,\"out\":%d}", served, files_in("/tmp"),
             files_in("/out"));
    leave("/tmp/left");
    leave("/out/left.txt");
    if (asked("stop"))
        close(listener);
    call_back("POST", task, body);
    return asked("leave") ? 5 : 0;
}

int serve_on(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_port = htons(5555)};
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&any, sizeof(any)) != 0 || listen(fd, 8) != 0) {
        close(fd);
        return 4;
    }
    for (int served = 1;; served++) {
        int status = serve_one(fd, served);
        if (status)
            return status;
        while (asked("stop"))
            pause();
    }
}
