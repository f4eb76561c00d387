/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_CONTAIN_EGRESS_PROXY_H
#define WORKERS_CONTAIN_EGRESS_PROXY_H

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "core/egress.h"
#include "lib/err.h"
#include "workers/contain/egress_head.h"

/*
 * The proxy through which a source reaches the hosts that it may. A process of its own, outside of
 * the container and without rights (egress_rights.c): it has a listener that was made inside the
 * container's network namespace, the list of hosts, and the host's network.
 */

#define EGRESS_PRIVATE_MAX     64
#define EGRESS_NETWORKS_MAX    64
#define EGRESS_CONNECTIONS_MAX 32

/** What supervisor and proxy share: counters, nothing that anybody trusts. */
struct egress_book {
    _Atomic int64_t moved; /**< bytes that the proxy read, from the source and from hosts */
    atomic_bool over;      /**< the cap was reached and there was more */
};

/** Milliseconds. */
struct egress_times {
    int64_t head;    /**< for the whole head of a request */
    int64_t connect; /**< for each address */
    int64_t idle;    /**< without a byte in either direction */
    int64_t total;   /**< for a connection */
};

/** A network that this machine is in. */
struct egress_network {
    bool v6;
    uint8_t address[16]; /**< masked */
    uint8_t mask[16];
};

/** What a proxy needs to know. */
struct egress_config {
    struct egress_host hosts[EGRESS_HOSTS_MAX];
    size_t count;
    struct egress_host privates[EGRESS_PRIVATE_MAX]; /**< whose addresses need not be public */
    size_t private_count;
    struct egress_network networks[EGRESS_NETWORKS_MAX]; /**< the provider's own */
    size_t network_count;
    int64_t max_bytes;
    struct egress_times times;
    size_t connections; /**< at once; others wait */
};

/** Counts bytes against the cap, for all connections together. */
struct egress_meter {
    pthread_mutex_t mutex;
    int64_t left;
    struct egress_book *book;
    int control; /**< hears 'L' when the cap is passed */
};

/**
 * Read what is there, and count it. When the cap is reached and more has come, the supervisor is
 * told and this process ends: that cuts every connection.
 *
 * @return bytes; 0 at the end; -1 with errno (EAGAIN: nothing now)
 */
ssize_t egress_take(struct egress_meter *m, int fd, void *to, size_t n);

/** Read {"hosts": [], "private": [], "max_bytes": n} into a config with the standard times, and
 * this machine's networks. @return E_INTERNAL, E_IO. */
MUST_CHECK enum err_code egress_config_read(const json_t *v, struct egress_config *out,
                                            struct err *err);

/**
 * Resolve a name and connect to one of its addresses. Every address must be public and in none of
 * our networks, unless the operator named the host as private; what was judged is what is connected
 * to.
 *
 * @name   as egress_name() has it
 * @return a non-blocking socket, or -1 with `no` filled
 */
int egress_dial(const struct egress_config *c, const char *name, uint16_t port,
                struct egress_refusal *no);

/** One connection of the source's, from its first byte to its end; closes `fd`. */
void egress_serve_one(const struct egress_config *c, struct egress_meter *m, int fd);

/** Bytes in both directions until one side or the clock ends it. */
struct egress_flow {
    int from;
    int to;
    uint8_t *p; /**< room for EGRESS_BUFFER bytes */
    size_t at;
    size_t n;       /**< bytes at p + at that wait to be sent */
    int64_t budget; /**< bytes that may still be read; -1: no end */
    bool open;      /**< there may be more to read */
};

#define EGRESS_BUFFER ((size_t)3 * EGRESS_HEAD_MAX)

/** @up from the source, with a budget for plain HTTP; @down from the host. @end_us monotonic */
void egress_relay(const struct egress_config *c, struct egress_meter *m, struct egress_flow *up,
                  struct egress_flow *down, int64_t end_us);

/** Serve a listener until `control` is closed. Never returns. */
_Noreturn void egress_serve(const struct egress_config *c, int listener, int control,
                            struct egress_book *book);

/**
 * Give up everything: root, groups, capabilities, new privileges, most system calls (no files to
 * write, no programs, no sockets but TCP and UDP over IP), and life beyond the parent's.
 *
 * @id     host user and group to become
 * @return E_IO naming the step
 */
MUST_CHECK enum err_code egress_drop_rights(uint32_t id, struct err *err);

#endif
