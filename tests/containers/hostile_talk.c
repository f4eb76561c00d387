/* SPDX-License-Identifier: MIT */
/* Talking inside the container's own network. */
#include "hostile.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int dial(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0)
        return -errno;
    return fd;
}

int say(int fd, const char *text, size_t n)
{
    while (n > 0) {
        ssize_t done = send(fd, text, n, MSG_NOSIGNAL);
        if (done <= 0)
            return 0;
        text += done;
        n -= (size_t)done;
    }
    return 1;
}

int call_back(const char *method, const char *path, const char *body)
{
    char head[256];
    char reply[64] = "";
    int fd = dial(CALLBACK_PORT);
    int n =
        snprintf(head, sizeof(head), "%s /%s HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
                 method, path, strlen(body));
    if (fd < 0 || !say(fd, head, (size_t)n) || !say(fd, body, strlen(body)))
        return 0;
    ssize_t got = recv(fd, reply, sizeof(reply) - 1, 0);
    close(fd);
    return got > 12 ? atoi(reply + 9) : 0;
}
