/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <time.h>

#include "keeper/state.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/killpoint.h"
#include "queue/slots.h"
#include "queue/thread.h"

#define PAGE 1000

/* One page on its way into Redis. The keeper waits for it, so it lives on the keeper's stack. */
struct page {
    struct keeper *keeper;
    const struct sql_open_slots_row *rows;
    size_t n;
    uint64_t token;
    bool first;
    bool last;
};

static void send_page(struct queue *q, void *ctx)
{
    const struct page *p = ctx;
    struct keeper *k = p->keeper;
    enum err_code rc = p->first ? slots_begin(q, p->token, NULL) : E_OK;

    for (size_t i = 0; i < p->n && rc == E_OK; i++)
        rc = slots_open(q, p->rows[i].source, p->rows[i].task,
                        p->rows[i].open < SLOT_DIGITS ? p->rows[i].open : SLOT_DIGITS, NULL);
    if (p->last && rc == E_OK)
        rc = slots_mark(q, p->token, NULL);
    pthread_mutex_lock(&k->lock);
    k->page_done = true;
    k->page_failed = rc != E_OK;
    pthread_cond_broadcast(&k->wake);
    pthread_mutex_unlock(&k->lock);
}

static enum err_code send_and_wait(struct keeper *k, struct page *p, struct err *err)
{
    bool failed;

    k->page_done = false;
    queue_post(k->app->queue, send_page, p);
    pthread_mutex_lock(&k->lock);
    while (!k->page_done)
        pthread_cond_wait(&k->wake, &k->lock);
    failed = k->page_failed;
    pthread_mutex_unlock(&k->lock);
    return failed ? err_set(err, E_PEER, "Redis went away during the resync") : E_OK;
}

enum err_code job_resync(struct keeper *k, struct err *err)
{
    struct sql_open_slots in = {.max = PAGE};
    struct page page = {.keeper = k, .first = true};
    uint64_t losses = queue_losses(k->app->queue);
    int64_t began = clock_mono_us();
    enum err_code rc;

    if (!queue_up(k->app->queue))
        return E_OK;
    random_bytes(&page.token, sizeof(page.token));
    /* Before anything is read: what a flush takes after this takes the token too. */
    rc = send_and_wait(k, &page, err);
    if (rc != E_OK)
        return rc;
    page.first = false;
    do {
        const void *rows;

        rc = db_run(k->conn, SQL_OPEN_SLOTS, &in, 1, k->arena, &rows, &page.n, err);
        if (rc != E_OK)
            return rc;
        page.rows = rows;
        page.last = page.n < PAGE;
        rc = send_and_wait(k, &page, err);
        if (rc != E_OK)
            return rc;
        KILLPOINT("o4");
        if (page.n > 0)
            in.after = page.rows[page.n - 1].task;
        arena_reset(k->arena);
    } while (!page.last && !atomic_load(&k->stopping));
    /* As of before: what was lost meanwhile is filled in the next round. */
    k->losses = losses;
    k->resync_took_us = clock_mono_us() - began;
    atomic_fetch_add(&k->resyncs, 1);
    return E_OK;
}
