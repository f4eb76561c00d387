/* SPDX-License-Identifier: MIT */
#include "server/wait.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "server/loop.h"

/* Topics share slots: a foreign bell costs its waiters one look, which they survive. */
#define SLOTS     8192
#define TICK_US   1000000
#define SPREAD_US 200000

struct slot {
    struct completion completion; /* posted while `rung` is set: rings coalesce */
    atomic_bool rung;
    _Atomic int64_t last_us;
    struct bells *bells;
    struct wait_topic *waiting;
};

struct bells {
    struct loop *loop;
    atomic_size_t count;
    struct wait **heap; /* ordered by at_us, soonest first */
    size_t room;
    struct slot slot[SLOTS];
};

static struct slot *slot_of(struct bells *b, uint64_t topic)
{
    return &b->slot[(topic ^ (topic >> 32)) % SLOTS];
}

static size_t waiting(const struct bells *b)
{
    return atomic_load_explicit(&b->count, memory_order_relaxed);
}

static void place(struct bells *b, size_t i, struct wait *w)
{
    b->heap[i] = w;
    w->heap = i + 1;
}

static void sift_up(struct bells *b, size_t i)
{
    struct wait *w = b->heap[i];

    while (i > 0 && b->heap[(i - 1) / 2]->at_us > w->at_us) {
        place(b, i, b->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(b, i, w);
}

static void sift_down(struct bells *b, size_t i)
{
    struct wait *w = b->heap[i];
    size_t n = waiting(b);

    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= n)
            break;
        if (child + 1 < n && b->heap[child + 1]->at_us < b->heap[child]->at_us)
            child++;
        if (b->heap[child]->at_us >= w->at_us)
            break;
        place(b, i, b->heap[child]);
        i = child;
    }
    place(b, i, w);
}

static void heap_add(struct bells *b, struct wait *w)
{
    size_t n = waiting(b);

    if (n == b->room) {
        b->room = b->room ? 2 * b->room : 256;
        b->heap = realloc(b->heap, b->room * sizeof(struct wait *));
        if (!b->heap)
            abort();
    }
    place(b, n, w);
    atomic_store(&b->count, n + 1);
    sift_up(b, n);
}

static void heap_remove(struct bells *b, struct wait *w)
{
    size_t i = w->heap - 1;
    size_t last = waiting(b) - 1;
    struct wait *moved = b->heap[last];

    w->heap = 0;
    atomic_store(&b->count, last);
    if (moved == w)
        return;
    place(b, i, moved);
    sift_up(b, i);
    sift_down(b, moved->heap - 1);
}

void wait_end(struct bells *b, struct wait *w)
{
    if (w->heap == 0)
        return;
    heap_remove(b, w);
    for (size_t i = 0; i < w->n_topics; i++) {
        struct wait_topic *t = &w->topics[i];

        *t->back = t->next;
        if (t->next)
            t->next->back = t->back;
    }
    w->n_topics = 0;
}

static void wake(struct bells *b, struct wait *w, enum wait_why why)
{
    wait_end(b, w);
    w->wake(w, why);
}

/* Takes the whole list first: a woken waiter may come back to the same slot. */
static void ring_slot(struct completion *c)
{
    struct slot *slot = (struct slot *)c;
    struct wait_topic *list = slot->waiting;

    atomic_store(&slot->rung, false);
    slot->waiting = NULL;
    if (list)
        list->back = &list;
    while (list)
        wake(slot->bells, list->wait, WAIT_BELL);
}

struct bells *bells_new(struct loop *loop)
{
    struct bells *b = calloc(1, sizeof(*b));

    if (!b)
        abort();
    b->loop = loop;
    for (size_t i = 0; i < SLOTS; i++) {
        b->slot[i].bells = b;
        b->slot[i].completion.run = ring_slot;
        atomic_store(&b->slot[i].last_us, INT64_MIN);
    }
    return b;
}

void bells_free(struct bells *b)
{
    free(b->heap);
    free(b);
}

void bells_ring(struct bells *b, uint64_t topic)
{
    struct slot *slot = slot_of(b, topic);

    atomic_store(&slot->last_us, clock_mono_us());
    /* Sequentially consistent with wait_begin(): either it sees last_us, or we see the waiter. */
    if (atomic_load(&b->count) > 0 && !atomic_exchange(&slot->rung, true))
        loop_post(b->loop, &slot->completion);
}

/* A bell wakes many at once; without this they would tick in step ever after. */
static int64_t spread_us(const struct wait *w, int64_t now_us)
{
    uint64_t mixed = ((uint64_t)(uintptr_t)w ^ (uint64_t)now_us) * 0x9e3779b97f4a7c15U;

    return (int64_t)((mixed >> 32) % SPREAD_US);
}

void wait_begin(struct bells *b, struct wait *w, const uint64_t *topics, size_t n, int64_t since_us,
                int64_t now_us)
{
    int64_t tick = now_us + TICK_US - spread_us(w, now_us);

    w->n_topics = n;
    for (size_t i = 0; i < n; i++) {
        struct slot *slot = slot_of(b, topics[i]);

        w->topics[i] =
            (struct wait_topic){.wait = w, .next = slot->waiting, .back = &slot->waiting};
        if (slot->waiting)
            slot->waiting->back = &w->topics[i].next;
        slot->waiting = &w->topics[i];
    }
    w->at_us = tick < w->deadline_us ? tick : w->deadline_us;
    heap_add(b, w);
    for (size_t i = 0; i < n; i++) {
        if (atomic_load(&slot_of(b, topics[i])->last_us) >= since_us)
            w->at_us = now_us;
    }
    if (w->at_us == now_us)
        sift_up(b, w->heap - 1);
}

void wait_turn(struct bells *b, int64_t now_us)
{
    while (waiting(b) > 0 && b->heap[0]->at_us <= now_us) {
        struct wait *w = b->heap[0];

        wake(b, w, now_us >= w->deadline_us ? WAIT_DEADLINE : WAIT_TICK);
    }
}

int64_t wait_next(const struct bells *b, int64_t now_us)
{
    if (waiting(b) == 0)
        return -1;
    return b->heap[0]->at_us > now_us ? b->heap[0]->at_us - now_us : 0;
}

void wait_all(struct bells *b)
{
    /* Counted: a step that waits again must not keep us here. */
    for (size_t n = waiting(b); n > 0 && waiting(b) > 0; n--)
        wake(b, b->heap[0], WAIT_DEADLINE);
}

size_t wait_count(const struct bells *b)
{
    return waiting(b);
}
