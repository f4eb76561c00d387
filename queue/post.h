/* SPDX-License-Identifier: MIT */
#ifndef QUEUE_POST_H
#define QUEUE_POST_H

#include <stdint.h>

#include "lib/bytes.h"
#include "queue/slots.h"
#include "queue/thread.h"

/*
 * Queue work that nobody waits for, from any thread. What Redis does not get is repaired by the
 * keeper's resync; bells ring here in any case.
 */

/** A task has at least `n` open slots; rings the source. */
void post_open(struct queue_thread *t, struct uuid source, struct uuid task, int n);

/** An attempt ended without winning: one slot more; rings the source and the task. */
void post_reopen(struct queue_thread *t, struct uuid source, struct uuid task);

/** A task is closed: its slots go, its waiters hear of it. */
void post_closed(struct queue_thread *t, struct uuid source, struct uuid task);

/** A task has moved on: its waiters hear of it. */
void post_moved(struct queue_thread *t, struct uuid task);

/** What became of a popped slot. */
enum slot_fate {
    SLOT_TAKEN,     /**< an attempt was opened */
    SLOT_TRIED,     /**< the master tried the task before: back for others */
    SLOT_RETURNED,  /**< nothing came of it: back */
    SLOT_WORTHLESS, /**< there is no such open slot: gone */
};

void post_slot(struct queue_thread *t, const struct slot *slot, int64_t master,
               enum slot_fate fate);

/** A master gave a try back: its claims may see the task again. */
void post_untried(struct queue_thread *t, struct uuid source, struct uuid task, int64_t master);

/** The same, but not for `hold_s` seconds (0..3600). */
void post_held(struct queue_thread *t, struct uuid source, struct uuid task, int64_t master,
               int hold_s);

#endif
