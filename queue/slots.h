/* SPDX-License-Identifier: MIT */
#ifndef QUEUE_SLOTS_H
#define QUEUE_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/bytes.h"
#include "lib/err.h"
#include "queue/thread.h"

/*
 * The book of open slots: per source a sorted set `{src_…}:slots` of members "<task hex>:<digit>",
 * scored by the time inside the task's UUIDv7, so that the oldest is popped first. A popped slot
 * lies in `{src_…}:pending` for SLOT_PENDING_MS and returns unless acknowledged.
 * `{src_…}:tried:<master>` remembers tasks a master has tried, so that its claims do not pop
 * them again; that is a hint, PostgreSQL decides. All keys of a source carry its hash tag.
 * Everything may vanish at any instant.
 */

/** One open slot. */
struct slot {
    struct uuid task;
    struct uuid source;
    int digit; /**< 0..7 */
};

#define SLOT_PENDING_MS 2000
#define SLOT_TRIED_MS   3600000
#define SLOT_DIGITS     8

/**
 * See to it that at least `n` slots of a task are in the book or pending; surplus ones stay (claims
 * find out and drop them). Sent without waiting for the answer; E_PEER when Redis is away.
 *
 * @n  1..SLOT_DIGITS
 */
enum err_code slots_open(struct queue *q, struct uuid source, struct uuid task, int n,
                         struct err *err);

/** Add one more slot of a task, for an attempt that ended. Sent without waiting. */
enum err_code slots_reopen(struct queue *q, struct uuid source, struct uuid task, struct err *err);

/** Who wants a slot, and where. */
struct slots_wish {
    const struct uuid *sources;
    size_t n;
    int64_t master; /**< the master's account id */
};

/**
 * Take the oldest slot over the wished sources that the master has not tried, as far as is known.
 *
 * @found  false when there is none
 * @return E_PEER when Redis is away, has lost the book, or answers nonsense
 */
MUST_CHECK enum err_code slots_pop(struct queue *q, const struct slots_wish *wish, struct slot *out,
                                   bool *found, struct err *err);

/** The popped slot is used up or worthless. Sent without waiting. */
enum err_code slots_ack(struct queue *q, const struct slot *slot, struct err *err);

/** The popped slot goes back to where it was. Sent without waiting. */
enum err_code slots_return(struct queue *q, const struct slot *slot, struct err *err);

/**
 * Remember that a master tried a task, or forget it. Sent without waiting.
 *
 * @ms  for how long from now, at most SLOT_TRIED_MS; 0: forget
 */
enum err_code slots_tried(struct queue *q, struct uuid source, struct uuid task, int64_t master,
                          int64_t ms, struct err *err);

/** A task is closed: none of its slots is open any more. Sent without waiting. */
enum err_code slots_drop(struct queue *q, struct uuid source, struct uuid task, struct err *err);

/**
 * A resync begins: after this, the database may be read. The token vanishes with the slots when
 * Redis is flushed before slots_mark(). Waits for Redis, unlike the others: a token that is still
 * on its way would outlive a flush that takes what was read before it.
 *
 * @token  random
 * @return E_PEER: Redis does not have it
 */
enum err_code slots_begin(struct queue *q, uint64_t token, struct err *err);

/**
 * The resync of this token has sent every open slot: declare the book whole. Without this mark,
 * which a flush takes away with the slots, slots_pop() answers E_PEER and claims go by the
 * database.
 */
enum err_code slots_mark(struct queue *q, uint64_t token, struct err *err);

#endif
