/* SPDX-License-Identifier: MIT */
#ifndef TESTS_UNIT_QUEUE_REDIS_H
#define TESTS_UNIT_QUEUE_REDIS_H

#include "queue/thread.h"

/** A private redis-server on a unix socket in a folder of its own. */
struct redis;

/** Start and wait until it answers; fails the test when it cannot. */
struct redis *redis_start(void);

/** Kill it (SIGKILL) but keep the folder; redis_again() starts another on the same socket. */
void redis_kill(struct redis *r);
void redis_again(struct redis *r);

/** End it and remove the folder. */
void redis_stop(struct redis *r);

/** unix:///… */
const char *redis_url(const struct redis *r);

/** Run one command on a connection of its own, e.g. "FLUSHALL"; its integer reply, 0 for others. */
long long redis_do(const struct redis *r, const char *command, ...)
    __attribute__((format(printf, 2, 3)));

/** Run `work(queue, ctx)` on the queue's thread and wait for its end. */
void queue_do(struct queue_thread *t, void (*work)(struct queue *q, void *ctx), void *ctx);

/** Wait until the link is up (or down). */
void queue_wait(struct queue_thread *t, bool up);

#endif
