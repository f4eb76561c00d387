/* SPDX-License-Identifier: MIT */
#include <time.h>

#include "db/lane_run.h"
#include "lib/clock.h"
#include "lib/log.h"

#define SECOND_US       1000000LL
#define TICK_DOWN_US    50000
#define PING_US         (5 * SECOND_US)
#define QUEUE_WAIT_US   (5 * SECOND_US)
#define UNKNOWN_WAIT_US (15 * SECOND_US)
/* Once the database is known to be away, new callers are told almost at once. */
#define BREAKER_WAIT_US 250000
#define BACKOFF_MIN_US  20000
#define BACKOFF_MAX_US  SECOND_US

static void wait_on(struct lane *l, int64_t us)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += us / SECOND_US;
    t.tv_nsec += us % SECOND_US * 1000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    (void)pthread_cond_timedwait(&l->wake, &l->lock, &t);
}

/* How long the thread may sleep before it has something to do. */
static int64_t idle_us(const struct lane *l)
{
    int64_t due;

    if (link_up(&l->link)) {
        return l->in.head || l->stop || l->n_hand > 0 || l->backlog.head ? 0 : SECOND_US;
    }
    due = l->retry_at_us - clock_mono_us();
    return due < TICK_DOWN_US ? due : TICK_DOWN_US;
}

/* Take what was submitted; sleeps when there is nothing to do. @return whether to go on */
static bool collect(struct lane *l)
{
    int64_t us;
    bool go;

    pthread_mutex_lock(&l->lock);
    us = idle_us(l);
    if (us > 0) {
        wait_on(l, us);
    }
    queue_join(&l->backlog, &l->in);
    go = !l->stop || l->backlog.head || l->n_hand > 0;
    pthread_mutex_unlock(&l->lock);
    return go;
}

static bool waited_too_long(const struct lane *l, const struct db_call *call, int64_t now)
{
    int64_t waited = now - call->since_us;

    if (call->unknown) {
        return waited > UNKNOWN_WAIT_US;
    }
    if (l->down_since_us && now - l->down_since_us > QUEUE_WAIT_US) {
        return waited > BREAKER_WAIT_US;
    }
    return waited > QUEUE_WAIT_US;
}

static void expire_down(struct lane *l, int64_t now)
{
    size_t kept = 0;

    for (size_t i = 0; i < l->n_hand; i++) {
        if (waited_too_long(l, l->hand[i], now)) {
            lane_finish(l, l->hand[i], E_DB_DOWN, l->link.why);
        } else {
            l->hand[kept++] = l->hand[i];
        }
    }
    l->n_hand = kept;
    while (l->backlog.head && waited_too_long(l, l->backlog.head, now)) {
        lane_finish(l, queue_pop(&l->backlog), E_DB_DOWN, l->link.why);
    }
}

static void connect_again(struct lane *l, int64_t now)
{
    struct err err = {.code = E_OK};

    if (!l->down_since_us) {
        l->down_since_us = now;
        l->backoff_us = BACKOFF_MIN_US;
        atomic_store(&l->healthy, false);
        log_warn("db_link_lost", "link=%s message=%s", l->link.name, l->link.why);
    }
    /* Also when each new link breaks at once: nobody waits for ever. */
    expire_down(l, now);
    if (now >= l->retry_at_us) {
        enum err_code code = link_open(&l->link, &err);

        now = clock_mono_us();
        if (!code) {
            log_info("db_link_back", "link=%s away_ms=%lld", l->link.name,
                     (long long)(now - l->down_since_us) / 1000);
            l->down_since_us = 0;
            l->used_at_us = now;
            atomic_store(&l->healthy, true);
            return;
        }
        if (code == E_CONFIG) {
            log_error("db_schema_differs", "link=%s message=%s", l->link.name, err.text);
        }
        l->retry_at_us = now + lane_jitter_us(l->backoff_us);
        l->backoff_us = l->backoff_us * 2 > BACKOFF_MAX_US ? BACKOFF_MAX_US : l->backoff_us * 2;
    }
}

/* An idle link is looked at each second and asked each five: it should break before a call needs
 * it. */
static void look_after(struct lane *l, int64_t now)
{
    link_check(&l->link);
    if (link_up(&l->link) && now - l->used_at_us > PING_US) {
        l->used_at_us = now;
        atomic_store(&l->healthy, link_ping(&l->link));
    }
}

static void pick_hand(struct lane *l, int64_t now)
{
    size_t max = l->class == SQL_CLASS_READ ? LANE_READS_MAX : LANE_BATCH_MAX;

    while (l->backlog.head && waited_too_long(l, l->backlog.head, now)) {
        lane_finish(l, queue_pop(&l->backlog), E_BUSY, "waited too long in the queue");
    }
    l->n_hand = batch_pick(&l->backlog, &l->picker, max, l->hand);
}

void *lane_main(void *arg)
{
    struct lane *l = arg;

    l->used_at_us = clock_mono_us();
    while (collect(l)) {
        int64_t now = clock_mono_us();

        if (!link_up(&l->link)) {
            connect_again(l, now);
            continue;
        }
        if (l->n_hand == 0) {
            pick_hand(l, now);
        }
        if (l->n_hand == 0) {
            look_after(l, now);
            continue;
        }
        lane_run_hand(l);
        l->used_at_us = clock_mono_us();
    }
    link_close(&l->link);
    encoder_done(&l->encoder);
    picker_done(&l->picker);
    return NULL;
}
