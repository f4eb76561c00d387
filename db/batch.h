/* SPDX-License-Identifier: MIT */
#ifndef DB_BATCH_H
#define DB_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "db/lane.h"

/** Calls in order of arrival, linked through db_call.next. */
struct call_queue {
    struct db_call *head;
    struct db_call *tail;
    size_t n;
};

void queue_push(struct call_queue *q, struct db_call *call);

/** The oldest call; NULL when there is none. */
struct db_call *queue_pop(struct call_queue *q);

/** Move all of `from` behind `q`. */
void queue_join(struct call_queue *q, struct call_queue *from);

/** One hashed key of the batch being picked; stale when its stamp is old. */
struct pick_slot {
    uint64_t key;
    uint32_t stamp;
    uint32_t n;
};

/** Scratch tables of batch_pick, kept between batches. Zero-initialise. */
struct picker {
    struct pick_slot *fair;
    size_t n_fair; /**< slots, a power of two */
    struct pick_slot conflict[4 * LANE_BATCH_MAX];
    uint32_t stamp;
};

void picker_done(struct picker *p);

/** Bytes of text and bytea after which a batch takes no further call. */
#define BATCH_BYTES_MAX (4U << 20)

/**
 * Take the next batch out of the queue.
 *
 * Write calls: the oldest call and others of its statement, no two with one conflict key; when more
 * wait than fit, every `fair` account gets an equal share. Reads: any statements, same shares.
 *
 * @out    room for `max` calls, at most LANE_BATCH_MAX
 * @return how many; at least 1 when the queue is not empty
 */
size_t batch_pick(struct call_queue *q, struct picker *p, size_t max, struct db_call **out);

#endif
