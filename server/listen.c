/* SPDX-License-Identifier: MIT */
#include "server/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 4096
/* A peer that acknowledges nothing for this long is gone; accepted sockets inherit it. */
#define UNACKED_MS 30000U

static enum err_code split(const char *address, char *host, size_t room, const char **port,
                           struct err *err)
{
    const char *colon = address ? strrchr(address, ':') : NULL;
    const char *start = address;
    size_t n;

    if (!colon || !colon[1])
        return err_set(err, E_CONFIG, "listen address %s is not host:port", address ? address : "");
    n = (size_t)(colon - start);
    if (n >= 2 && start[0] == '[' && start[n - 1] == ']') {
        start++;
        n -= 2;
    }
    if (n >= room)
        return err_set(err, E_CONFIG, "listen address %s is too long", address);
    memcpy(host, start, n);
    host[n] = '\0';
    *port = colon + 1;
    return E_OK;
}

static enum err_code bind_one(const struct addrinfo *at, const char *address, int *out,
                              struct err *err)
{
    const int one = 1;
    const unsigned unacked = UNACKED_MS;
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return err_set(err, E_IO, "socket: %s", strerror(errno));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked, sizeof(unacked));
    if (bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        enum err_code code =
            err_set(err, E_IO, "cannot listen on %s: %s", address, strerror(errno));

        close(fd);
        return code;
    }
    *out = fd;
    return E_OK;
}

enum err_code listen_open(const char *address, int *out, struct err *err)
{
    struct addrinfo want = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char host[256] = "";
    const char *port = NULL;
    enum err_code code = split(address, host, sizeof(host), &port, err);
    int status;

    if (code != E_OK)
        return code;
    status = getaddrinfo(host[0] ? host : NULL, port, &want, &found);
    if (status != 0)
        return err_set(err, E_CONFIG, "listen address %s: %s", address, gai_strerror(status));
    code = bind_one(found, address, out, err);
    freeaddrinfo(found);
    return code;
}

uint16_t listen_port(int fd)
{
    struct sockaddr_in6 at = {.sin6_port = 0}; /* IPv4 keeps its port in the same place */
    socklen_t n = sizeof(at);

    if (fd < 0 || getsockname(fd, (struct sockaddr *)&at, &n) != 0)
        return 0;
    return ntohs(at.sin6_port);
}
