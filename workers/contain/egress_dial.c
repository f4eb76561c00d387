/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/netaddr.h"
#include "workers/contain/egress_proxy.h"

#define ADDRESSES_MAX 8

/* The bytes of an address; IPv4 in IPv6 as IPv4. @return how many */
static size_t bytes_of_address(const struct sockaddr *sa, uint8_t out[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    if (sa->sa_family == AF_INET) {
        memcpy(&v4, sa, sizeof(v4));
        memcpy(out, &v4.sin_addr, 4);
        return 4;
    }
    memcpy(&v6, sa, sizeof(v6));
    if (memcmp(&v6.sin6_addr, mapped, sizeof(mapped)) == 0) {
        memcpy(out, v6.sin6_addr.s6_addr + 12, 4);
        return 4;
    }
    memcpy(out, &v6.sin6_addr, 16);
    return 16;
}

static bool is_ours(const struct egress_config *c, const struct sockaddr *sa)
{
    uint8_t b[16];
    size_t n = bytes_of_address(sa, b);
    for (size_t i = 0; i < c->network_count; i++) {
        const struct egress_network *net = &c->networks[i];
        bool in = net->v6 == (n == 16);
        for (size_t k = 0; in && k < n; k++)
            in = (b[k] & net->mask[k]) == net->address[k];
        if (in)
            return true;
    }
    return false;
}

static bool is_private_by_name(const struct egress_config *c, const char *name, uint16_t port)
{
    for (size_t i = 0; i < c->private_count; i++) {
        if (egress_host_allows(&c->privates[i], name, port))
            return true;
    }
    return false;
}

/* One address that is not the internet's makes the whole answer suspect. */
static bool judge(const struct egress_config *c, const struct addrinfo *list)
{
    for (const struct addrinfo *a = list; a; a = a->ai_next) {
        if ((a->ai_family != AF_INET && a->ai_family != AF_INET6) || !netaddr_public(a->ai_addr) ||
            is_ours(c, a->ai_addr))
            return false;
    }
    return true;
}

static int connect_to(const struct addrinfo *a, int64_t timeout_ms)
{
    int on = 1;
    int e = 0;
    socklen_t len = sizeof(e);
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (fd < 0)
        return -1;
    struct pollfd row = {.fd = fd, .events = POLLOUT};
    bool ok = connect(fd, a->ai_addr, a->ai_addrlen) == 0 ||
              (errno == EINPROGRESS && poll(&row, 1, (int)timeout_ms) == 1 &&
               getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) == 0 && e == 0);
    if (!ok) {
        close(fd);
        return -1;
    }
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

int egress_dial(const struct egress_config *c, const char *name, uint16_t port,
                struct egress_refusal *no)
{
    char service[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    snprintf(service, sizeof(service), "%u", port);
    if (getaddrinfo(name, service, &hints, &list) != 0 || !list) {
        *no = (struct egress_refusal){502, "the host's name does not resolve"};
        return -1;
    }
    int fd = -1;
    if (!is_private_by_name(c, name, port) && !judge(c, list)) {
        *no = (struct egress_refusal){403, "the host has an address that is not public"};
    } else {
        size_t tried = 0;
        for (const struct addrinfo *a = list; fd < 0 && a && tried < ADDRESSES_MAX; a = a->ai_next)
            fd = connect_to(a, (tried++, c->times.connect));
        *no = (struct egress_refusal){502, "the host does not take the connection"};
    }
    freeaddrinfo(list);
    return fd;
}
