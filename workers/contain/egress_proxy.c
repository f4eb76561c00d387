/* SPDX-License-Identifier: MIT */
#include "workers/contain/egress_proxy.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STACK_BYTES 524288
#define FULL_MS     20

static const struct egress_times standard_times = {10000, 10000, 60000, 3600000};

/* ---- what it is told ---- */

static bool read_rules(const json_t *list, struct egress_host *out, size_t room, size_t *n)
{
    if (!json_is_array(list) || json_array_size(list) > room)
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        if (egress_host_read(text_of(json_string_value(json_array_get(list, i))), &out[i]))
            return false;
    }
    *n = json_array_size(list);
    return true;
}

/* The network of one of our addresses. */
static void add_network(struct egress_config *c, const struct ifaddrs *i)
{
    struct sockaddr_in v4[2];
    struct sockaddr_in6 v6[2];
    struct egress_network *net = &c->networks[c->network_count];
    int family = i->ifa_addr ? i->ifa_addr->sa_family : AF_UNSPEC;
    if ((family != AF_INET && family != AF_INET6) || !i->ifa_netmask ||
        c->network_count == EGRESS_NETWORKS_MAX)
        return;
    *net = (struct egress_network){.v6 = family == AF_INET6};
    if (net->v6) {
        memcpy(&v6[0], i->ifa_addr, sizeof(v6[0]));
        memcpy(&v6[1], i->ifa_netmask, sizeof(v6[1]));
        memcpy(net->address, &v6[0].sin6_addr, 16);
        memcpy(net->mask, &v6[1].sin6_addr, 16);
    } else {
        memcpy(&v4[0], i->ifa_addr, sizeof(v4[0]));
        memcpy(&v4[1], i->ifa_netmask, sizeof(v4[1]));
        memcpy(net->address, &v4[0].sin_addr, 4);
        memcpy(net->mask, &v4[1].sin_addr, 4);
    }
    for (size_t k = 0; k < sizeof(net->mask); k++)
        net->address[k] &= net->mask[k];
    c->network_count++;
}

enum err_code egress_config_read(const json_t *v, struct egress_config *out, struct err *err)
{
    struct ifaddrs *list = NULL;
    out->max_bytes = json_integer_value(json_object_get(v, "max_bytes"));
    out->times = standard_times;
    out->connections = EGRESS_CONNECTIONS_MAX;
    out->network_count = 0;
    if (!read_rules(json_object_get(v, "hosts"), out->hosts, EGRESS_HOSTS_MAX, &out->count) ||
        !read_rules(json_object_get(v, "private"), out->privates, EGRESS_PRIVATE_MAX,
                    &out->private_count) ||
        out->max_bytes < 1)
        return err_set(err, E_INTERNAL, "the proxy's list of hosts is broken");
    if (getifaddrs(&list) != 0)
        return err_set(err, E_IO, "this machine's networks: %s", strerror(errno));
    for (const struct ifaddrs *i = list; i; i = i->ifa_next)
        add_network(out, i);
    freeifaddrs(list);
    return E_OK;
}

/* ---- the cap ---- */

static _Noreturn void pass_the_cap(struct egress_meter *m)
{
    atomic_store(&m->book->over, true);
    /* If nobody hears it any more, the run is over already. */
    (void)send(m->control, "L", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    _exit(0);
}

ssize_t egress_take(struct egress_meter *m, int fd, void *to, size_t n)
{
    char one;
    pthread_mutex_lock(&m->mutex);
    bool spent = m->left == 0;
    if ((uint64_t)m->left < n)
        n = (size_t)m->left;
    ssize_t got =
        spent ? recv(fd, &one, 1, MSG_PEEK | MSG_DONTWAIT) : recv(fd, to, n, MSG_DONTWAIT);
    int saved = errno;
    if (spent && got > 0)
        pass_the_cap(m);
    if (got > 0) {
        m->left -= got;
        atomic_fetch_add(&m->book->moved, got);
    }
    pthread_mutex_unlock(&m->mutex);
    errno = saved;
    return got;
}

/* ---- connections ---- */

struct proxy {
    const struct egress_config *config;
    struct egress_meter meter;
    atomic_size_t live;
};

struct visit {
    struct proxy *proxy;
    int fd;
};

static void *visit_main(void *arg)
{
    struct visit *v = arg;
    struct proxy *p = v->proxy;
    egress_serve_one(p->config, &p->meter, v->fd);
    free(v);
    atomic_fetch_sub(&p->live, 1);
    return NULL;
}

static void welcome(struct proxy *p, int listener, const pthread_attr_t *small)
{
    pthread_t t;
    /* cppcheck-suppress nullPointer ; both NULLs say that nobody asks who calls */
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct visit *v = fd >= 0 ? malloc(sizeof(*v)) : NULL;
    if (v) {
        *v = (struct visit){p, fd};
        atomic_fetch_add(&p->live, 1);
        if (pthread_create(&t, small, visit_main, v) == 0)
            return;
        atomic_fetch_sub(&p->live, 1);
        free(v);
    }
    if (fd >= 0)
        close(fd);
}

void egress_serve(const struct egress_config *c, int listener, int control,
                  struct egress_book *book)
{
    struct proxy p = {.config = c,
                      .meter = {.left = c->max_bytes, .book = book, .control = control}};
    pthread_attr_t small;
    pthread_mutex_init(&p.meter.mutex, NULL);
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK_BYTES);
    pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
    for (;;) {
        bool full = atomic_load(&p.live) >= c->connections;
        struct pollfd rows[2] = {{.fd = control, .events = POLLIN},
                                 {.fd = full ? -1 : listener, .events = POLLIN}};
        int n = poll(rows, 2, full ? FULL_MS : -1);
        if (n < 0 && errno != EINTR)
            _exit(1);
        if (n > 0 && rows[0].revents)
            _exit(0); /* nobody writes there: it was closed, the run is over */
        if (n > 0 && rows[1].revents)
            welcome(&p, listener, &small);
    }
}
