/* SPDX-License-Identifier: MIT */
#ifndef DB_LANE_RUN_H
#define DB_LANE_RUN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "db/batch.h"
#include "db/encode.h"
#include "db/lane.h"
#include "db/link.h"

/** Reads in one round trip. */
#define LANE_READS_MAX 64

/** One connection, its thread and its queue. */
struct lane {
    pthread_t thread;
    enum sql_class class;
    size_t queue_max;

    pthread_mutex_t lock; /**< guards `in` and `stop` */
    pthread_cond_t wake;
    struct call_queue in;
    bool stop;

    /* Of the thread alone. */
    struct call_queue backlog;
    struct db_call *hand[LANE_BATCH_MAX]; /**< the batch being run, also across reconnects */
    size_t n_hand;
    struct db_link link;
    struct encoder encoder;
    struct picker picker;
    int64_t down_since_us; /**< 0: up */
    int64_t retry_at_us;
    int64_t backoff_us;
    int64_t used_at_us;

    atomic_bool healthy;
    atomic_uint_fast64_t waiting;
    atomic_uint_fast64_t calls;
    atomic_uint_fast64_t batches;
    atomic_uint_fast64_t retries;
    atomic_uint_fast64_t lost_commits;
    atomic_uint_fast64_t isolated;
};

/** The thread's main function, `arg` is its struct lane; returns when stopped and empty. */
void *lane_main(void *arg);

/**
 * Run what the lane holds in hand, as far as its link carries; finished calls leave the hand.
 * Left over are the calls whose link broke.
 */
void lane_run_hand(struct lane *l);

/** Hand a call back to its owner. `code` E_OK: rows are set. */
void lane_finish(struct lane *l, struct db_call *call, enum err_code code, const char *why);

/** A random pause around `mean_us`, so that lanes do not meet again at the same lock. */
int64_t lane_jitter_us(int64_t mean_us);

#endif
