/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_FAULT_PROXY_H
#define TESTS_SUPPORT_FAULT_PROXY_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A TCP proxy in front of PostgreSQL that breaks connections where it hurts. It reads the client's
 * side of the protocol (version 3) just enough to know a COMMIT: the engine's prepared one, or the
 * simple query of other clients.
 */
struct fault_proxy;

enum fault {
    FAULT_NONE,
    FAULT_CUT_BEFORE_COMMIT, /**< reset before any byte of COMMIT reaches the server */
    FAULT_CUT_AFTER_COMMIT,  /**< forward COMMIT, reset without a byte of its answer */
    FAULT_HANG,              /**< accept and read, forward nothing, answer nothing */
    FAULT_REFUSE             /**< reset every connection, also new ones */
};

/** Listen on a free port of 127.0.0.1, forward to host:port from a thread. NULL: could not. */
struct fault_proxy *fault_proxy_open(const char *host, int port);
int fault_proxy_port(const struct fault_proxy *p);
/** What to do from now on; cuts end after `times` of them, 0 means without end. */
void fault_proxy_set(struct fault_proxy *p, enum fault fault, int times);
/** Hold every piece of data back this long, in both directions. */
void fault_proxy_delay(struct fault_proxy *p, int ms);
/** Reset all connections once. */
void fault_proxy_cut(struct fault_proxy *p);
/** Cuts at a COMMIT so far. */
int fault_proxy_cuts(struct fault_proxy *p);
void fault_proxy_close(struct fault_proxy *p);

/* ---- what it is made of; for its own files -----------------------------------------------------
 */

/** Follows one client's messages. Zero-initialise. */
struct pg_follow {
    bool started;    /**< the startup message, which has no type byte, is over */
    size_t rest;     /**< bytes of the current message still to pass */
    bool committing; /**< between the Bind of COMMIT and its Sync */
};

enum pg_event { PG_PASS, PG_NEED_MORE, PG_COMMIT, PG_COMMITTED };

/**
 * Look at what comes next.
 *
 * @n      bytes at p that were not passed yet
 * @pass   how many of them belong to this event; 0 with PG_NEED_MORE
 * @return PG_COMMIT: they begin a COMMIT; PG_COMMITTED: they end its pipeline
 */
enum pg_event pg_follow(struct pg_follow *f, const unsigned char *p, size_t n, size_t *pass);

#endif
