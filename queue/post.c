/* SPDX-License-Identifier: MIT */
#include "queue/post.h"

#include <stdlib.h>

#include "queue/bell.h"
#include "queue/slots.h"

/* A try that the book did not know of: one that counts for good, or one handed back a while ago.
 * So the database is asked again before long. */
#define ASK_AGAIN_MS 300000

struct news {
    struct uuid source;
    struct uuid task;
    int64_t master;
    int n;            /**< how many slots, or the slot's digit */
    int64_t tried_ms; /**< for how long a try is remembered */
    enum slot_fate fate;
};

static void post(struct queue_thread *t, void (*work)(struct queue *q, void *ctx), struct news news)
{
    struct news *copy = malloc(sizeof(*copy));

    if (copy == NULL)
        abort();
    *copy = news;
    queue_post(t, work, copy);
}

static void do_open(struct queue *q, void *ctx)
{
    struct news *n = ctx;

    (void)slots_open(q, n->source, n->task, n->n, NULL);
    queue_ring(q, bell_source(n->source));
    free(n);
}

static void do_reopen(struct queue *q, void *ctx)
{
    struct news *n = ctx;

    (void)slots_reopen(q, n->source, n->task, NULL);
    queue_ring(q, bell_source(n->source));
    queue_ring(q, bell_task(n->task));
    free(n);
}

static void do_closed(struct queue *q, void *ctx)
{
    struct news *n = ctx;

    (void)slots_drop(q, n->source, n->task, NULL);
    queue_ring(q, bell_task(n->task));
    free(n);
}

static void do_moved(struct queue *q, void *ctx)
{
    struct news *n = ctx;

    queue_ring(q, bell_task(n->task));
    free(n);
}

static void do_tried(struct queue *q, void *ctx)
{
    struct news *n = ctx;

    (void)slots_tried(q, n->source, n->task, n->master, n->tried_ms, NULL);
    free(n);
}

static void do_slot(struct queue *q, void *ctx)
{
    struct news *n = ctx;
    struct slot slot = {.task = n->task, .source = n->source, .digit = n->n};

    switch (n->fate) {
    case SLOT_TAKEN:
        (void)slots_ack(q, &slot, NULL);
        (void)slots_tried(q, n->source, n->task, n->master, SLOT_TRIED_MS, NULL);
        break;
    case SLOT_TRIED:
        (void)slots_tried(q, n->source, n->task, n->master, ASK_AGAIN_MS, NULL);
        (void)slots_return(q, &slot, NULL);
        break;
    case SLOT_RETURNED:
        (void)slots_return(q, &slot, NULL);
        break;
    case SLOT_WORTHLESS:
        (void)slots_ack(q, &slot, NULL);
        break;
    }
    /* Others wait for what comes back. */
    if (n->fate == SLOT_TRIED || n->fate == SLOT_RETURNED)
        queue_ring(q, bell_source(n->source));
    free(n);
}

void post_slot(struct queue_thread *t, const struct slot *slot, int64_t master, enum slot_fate fate)
{
    post(t, do_slot,
         (struct news){.source = slot->source,
                       .task = slot->task,
                       .master = master,
                       .n = slot->digit,
                       .fate = fate});
}

void post_open(struct queue_thread *t, struct uuid source, struct uuid task, int n)
{
    post(t, do_open, (struct news){.source = source, .task = task, .n = n});
}

void post_reopen(struct queue_thread *t, struct uuid source, struct uuid task)
{
    post(t, do_reopen, (struct news){.source = source, .task = task});
}

void post_closed(struct queue_thread *t, struct uuid source, struct uuid task)
{
    post(t, do_closed, (struct news){.source = source, .task = task});
}

void post_moved(struct queue_thread *t, struct uuid task)
{
    post(t, do_moved, (struct news){.task = task});
}

void post_untried(struct queue_thread *t, struct uuid source, struct uuid task, int64_t master)
{
    post_held(t, source, task, master, 0);
}

void post_held(struct queue_thread *t, struct uuid source, struct uuid task, int64_t master,
               int hold_s)
{
    post(t, do_tried,
         (struct news){
             .source = source, .task = task, .master = master, .tried_ms = (int64_t)hold_s * 1000});
}
