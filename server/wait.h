/* SPDX-License-Identifier: MIT */
#ifndef SERVER_WAIT_H
#define SERVER_WAIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct bells;

/** Most topics one operation waits for. */
#define WAIT_TOPICS_MAX 64

/** Why a waiter woke. */
enum wait_why { WAIT_BELL, WAIT_TICK, WAIT_DEADLINE };

struct wait;

/** One topic of a waiter. */
struct wait_topic {
    struct wait *wait;
    struct wait_topic *next;
    struct wait_topic **back;
};

/** A waiter, embedded in its owner. HTTP thread only. */
struct wait {
    int64_t at_us;             /**< next tick or the deadline, whichever is sooner */
    int64_t deadline_us;       /**< monotonic */
    size_t heap;               /**< place in the heap + 1; 0: not waiting */
    struct wait_topic *topics; /**< the caller's */
    size_t n_topics;
    void (*wake)(struct wait *self, enum wait_why why); /**< the waiter is already removed */
};

struct bells *bells_new(struct loop *loop);

/** Waiters must have been removed. */
void bells_free(struct bells *b);

/** Ring a topic; any thread. */
void bells_ring(struct bells *b, uint64_t topic);

/**
 * Begin to wait.
 *
 * A bell that rang after `since_us` wakes at once: it may have rung between the look that found
 * nothing and this call. Ticks come every second, spread over it, so that a lost bell costs at most
 * that and waiters do not move in step.
 *
 * @w         the caller sets wake, deadline_us, and `topics` to `n` places that stay until it woke
 * @topics    `n` topics
 * @since_us  monotonic time when the last look began
 * @now_us    monotonic
 */
void wait_begin(struct bells *b, struct wait *w, const uint64_t *topics, size_t n, int64_t since_us,
                int64_t now_us);

/** Stop waiting without waking; allowed when not waiting. */
void wait_end(struct bells *b, struct wait *w);

/** Wake all whose tick or deadline has come. */
void wait_turn(struct bells *b, int64_t now_us);

/** Microseconds until the next tick or deadline, 0 when it has come; -1 when nobody waits. */
int64_t wait_next(const struct bells *b, int64_t now_us);

/** Wake everyone as if the deadline had come: the gateway drains. */
void wait_all(struct bells *b);

/** How many wait now. */
size_t wait_count(const struct bells *b);

#endif
