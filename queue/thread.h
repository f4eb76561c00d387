/* SPDX-License-Identifier: MIT */
#ifndef QUEUE_THREAD_H
#define QUEUE_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/*
 * Redis holds the book of open slots and carries bells between gateways; PostgreSQL holds the
 * truth. Nothing here may fail a request for good: a call answers E_PEER, the caller goes by the
 * database.
 */

/** The link to Redis, handed to queue work; valid only inside it, on the queue's thread. */
struct queue;

/** The thread that owns the link, and one that listens for bells. */
struct queue_thread;

struct queue_config {
    const char *url; /**< redis://[:password@]host[:port][/db] or unix:///path; borrowed */
    /** A bell rang, here or in another gateway: any of the queue's threads, must be short. */
    void (*ring)(void *ctx, uint64_t topic);
    void *ctx;
};

/**
 * Start both threads. Redis may be away: they connect when it comes.
 *
 * @return E_CONFIG for a URL that cannot be read, E_IO when no thread can be made
 */
MUST_CHECK enum err_code queue_start(const struct queue_config *config, struct queue_thread **out,
                                     struct err *err);

/** Run what is posted, then end both threads and free. NULL allowed. */
void queue_stop(struct queue_thread *t);

/**
 * Run `work` on the queue's thread; any thread. It always runs exactly once, in the order of
 * posting; while Redis is away its queue calls answer E_PEER at once.
 */
void queue_post(struct queue_thread *t, void (*work)(struct queue *queue, void *ctx), void *ctx);

/** Whether the link is up now. Any thread. */
bool queue_up(const struct queue_thread *t);

/**
 * Grows whenever the book may have lost slots: a new link, a flush, a write that failed. The keeper
 * fills the book again when it sees a new number. Any thread.
 */
uint64_t queue_losses(const struct queue_thread *t);

#endif
