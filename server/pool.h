/* SPDX-License-Identifier: MIT */
#ifndef SERVER_POOL_H
#define SERVER_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Threads for what blocks or burns: blob files, signatures, digests. A bounded queue in front. */
struct pool;

/** One piece of work, embedded in its owner. */
struct pool_job {
    struct pool_job *next;
    void (*run)(struct pool_job *self); /**< on a pool thread */
};

/** Counters, for /metrics. */
struct pool_stats {
    size_t threads;
    size_t waiting;
    size_t running;
    uint64_t done;
    uint64_t refused;
};

/**
 * Start the threads.
 *
 * @threads    at least 1
 * @queue_max  jobs waiting before pool_submit() refuses
 * @return     NULL when no thread could be started
 */
struct pool *pool_new(size_t threads, size_t queue_max);

/** Run what is queued, then end the threads. Nobody may submit any more. */
void pool_free(struct pool *pool);

/** Queue a job; any thread. @return false when the queue is full: answer E_BUSY */
bool pool_submit(struct pool *pool, struct pool_job *job);

void pool_stats(struct pool *pool, struct pool_stats *out);

#endif
