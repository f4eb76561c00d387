/* SPDX-License-Identifier: MIT */
#ifndef SERVER_LOOP_H
#define SERVER_LOOP_H

#include <stdatomic.h>
#include <stdint.h>

#include "lib/err.h"

/*
 * The HTTP thread: one epoll set that holds libmicrohttpd's epoll descriptor and one eventfd. Other
 * threads (lanes, pool, queue) hand work back by posting a completion; nothing else crosses. All
 * connections, operations and waits are touched by this thread alone, so none of them has a lock.
 */
struct loop;

/** Work for the HTTP thread, embedded in what it belongs to. */
struct completion {
    struct completion *next;
    void (*run)(struct completion *self); /**< on the HTTP thread */
};

/** A list that many threads push to and one takes whole; no lock. Zero-initialise. */
struct completion_list {
    _Atomic(struct completion *) head;
};

/** Push; any thread. @return whether the list was empty, so that the taker must be woken */
bool completion_push(struct completion_list *list, struct completion *c);

/** Take all, oldest first; the one taker. NULL when empty. */
struct completion *completion_take(struct completion_list *list);

/** What the loop drives: libmicrohttpd behind functions, so that nothing here depends on it. */
struct loop_driver {
    int fd; /**< becomes readable when run() has work */
    /** Deadlines that have come: waits, reaper, drain. */
    void (*turn)(void *ctx, int64_t now_us);
    /** Everything that is ready, resumed connections among it. */
    void (*run)(void *ctx);
    /** How long the loop may sleep, microseconds; 0: not at all; -1: until a descriptor wakes it.
     */
    int64_t (*sleep_us)(void *ctx, int64_t now_us);
    void *ctx;
};

/** A loop; nothing runs yet, but loop_post() may be called. Aborts only on memory; @return E_IO. */
MUST_CHECK enum err_code loop_new(struct loop **out, struct err *err);
void loop_free(struct loop *loop);

/** Run until loop_stop(). The calling thread becomes the HTTP thread. @return E_IO */
MUST_CHECK enum err_code loop_run(struct loop *loop, const struct loop_driver *driver,
                                  struct err *err);

/** End loop_run() after this turn; HTTP thread. */
void loop_stop(struct loop *loop);

/** Run `c->run` on the HTTP thread; any thread, also before loop_run(). */
void loop_post(struct loop *loop, struct completion *c);

/** Wake the loop; any thread and signal handlers (async-signal-safe). */
void loop_wake(struct loop *loop);

/**
 * Ring: all operations that wait for this topic get their step. Any thread; cheap when nobody
 * waits.
 *
 * @topic  hash of what happened (queue/bell.h)
 */
void wait_ring(struct loop *loop, uint64_t topic);

/** The bells of this loop: server/wait.h */
struct bells;
struct bells *loop_bells(struct loop *loop);

#endif
