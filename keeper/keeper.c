/* SPDX-License-Identifier: MIT */
#include "keeper/keeper.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#include "keeper/state.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "queue/thread.h"

#define TICK_US        200000
#define SECOND_US      1000000LL
#define RECONNECT_US   (2 * SECOND_US)
#define LOG_APART_US   (5 * SECOND_US)
#define CHECKS_WAIT_US (20 * SECOND_US)

/* The advisory lock of the job that many gateways need not do at once. */
#define LEADER_KEY 0x6f6770756b656570LL

struct job {
    const char *name;
    int64_t period_us;
    bool leader_only;
    enum err_code (*run)(struct keeper *k, struct err *err);
};

static const struct job jobs[] = {
    {"expiries", SECOND_US, false, job_expiries},    {"leases", SECOND_US, false, job_leases},
    {"checks", SECOND_US, false, job_checks},        {"resync", 2 * SECOND_US, true, job_resync},
    {"masters", 10 * SECOND_US, true, job_masters},  {"prune", 60 * SECOND_US, true, job_prune},
    {"garbage", 300 * SECOND_US, true, job_garbage}, {"proofs", SECOND_US, false, job_proofs},
    {"exits", SECOND_US, false, job_exits},
};
_Static_assert(ARRAY_LEN(jobs) <= KEEPER_JOBS, "due_us has a place for each job");

uint64_t keeper_key(struct uuid id)
{
    return hash64(id.b, sizeof(id.b));
}

/* Between 3/4 and 5/4 of a period, so that gateways started together do not stay together. */
static int64_t jittered(int64_t period_us)
{
    uint16_t r;

    random_bytes(&r, sizeof(r));
    return period_us * 3 / 4 + period_us / 2 * r / 65536;
}

static void complain(struct keeper *k, const char *job, const struct err *err)
{
    int64_t now = clock_mono_us();

    atomic_fetch_add(&k->failures, 1);
    if (k->logged_us && now - k->logged_us < LOG_APART_US)
        return;
    k->logged_us = now;
    log_warn("keeper_job_failed", "job=%s reason=%s", job, err->text);
}

static void run_job(struct keeper *k, size_t i, int64_t now)
{
    struct err err = {0};

    k->due_us[i] = now + jittered(jobs[i].period_us);
    if (jobs[i].run(k, &err) != E_OK)
        complain(k, jobs[i].name, &err);
    arena_reset(k->arena);
    if (jobs[i].run != job_resync)
        return;
    /* A resync of a large book must not become all that the database does, however often it fails.
     */
    now = clock_mono_us();
    k->resync_not_before_us = now + 4 * k->resync_took_us;
    if (k->resync_took_us * 20 > jobs[i].period_us)
        k->due_us[i] = now + jittered(k->resync_took_us * 20);
}

/* A book that lost slots is filled at once, by whoever saw it. */
static bool due(const struct keeper *k, size_t i, int64_t now)
{
    const struct app *app = k->app;

    if (jobs[i].run == job_resync && queue_up(app->queue) && queue_losses(app->queue) != k->losses)
        return true;
    return k->due_us[i] <= now && (k->leader || !jobs[i].leader_only);
}

static void turn(struct keeper *k)
{
    struct err err = {0};
    int64_t now = clock_mono_us();

    if (k->conn == NULL && db_conn_open(k->app->database_url, &k->conn, &err) != E_OK) {
        complain(k, "connect", &err);
        return;
    }
    if (!k->leader || !db_lock_held(k->conn, LEADER_KEY))
        k->leader = db_try_lock(k->conn, LEADER_KEY);
    for (size_t i = 0; i < ARRAY_LEN(jobs); i++)
        if (due(k, i, now))
            run_job(k, i, now);
}

/* Waits for a tick; true when the keeper must end. */
static bool pause_or_stop(struct keeper *k, int64_t us)
{
    struct timespec until;
    bool stop;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += us * 1000 % 1000000000;
    until.tv_sec += us / SECOND_US + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&k->lock);
    while (!k->stop)
        if (pthread_cond_timedwait(&k->wake, &k->lock, &until) != 0)
            break;
    stop = k->stop;
    pthread_mutex_unlock(&k->lock);
    return stop;
}

static void *keeper_main(void *arg)
{
    struct keeper *k = arg;

    do {
        turn(k);
    } while (!pause_or_stop(k, k->conn ? TICK_US : RECONNECT_US));
    if (k->conn)
        db_conn_close(k->conn);
    return NULL;
}

enum err_code keeper_start(struct app *app, struct keeper **out, struct err *err)
{
    struct keeper *k = calloc(1, sizeof(*k));
    pthread_condattr_t attr;

    if (k == NULL)
        abort();
    k->app = app;
    k->arena = arena_new();
    k->losses = UINT64_MAX; /* never seen: the first resync is due at once */
    pthread_mutex_init(&k->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&k->wake, &attr);
    pthread_condattr_destroy(&attr);
    app->keeper = k;
    app->check = check_start;
    if (pthread_create(&k->thread, NULL, keeper_main, k) != 0) {
        app->keeper = NULL;
        arena_free(k->arena);
        free(k);
        return err_set(err, E_IO, "cannot start the keeper's thread");
    }
    *out = k;
    return E_OK;
}

void keeper_stop(struct keeper *k)
{
    int64_t until = clock_mono_us() + CHECKS_WAIT_US;

    if (k == NULL)
        return;
    atomic_store(&k->stopping, true);
    pthread_mutex_lock(&k->lock);
    k->stop = true;
    pthread_cond_broadcast(&k->wake);
    pthread_mutex_unlock(&k->lock);
    pthread_join(k->thread, NULL);
    while (atomic_load(&k->checking) > 0 && clock_mono_us() < until) {
        struct timespec pause = {.tv_nsec = 5000000};

        nanosleep(&pause, NULL);
    }
    if (atomic_load(&k->checking) > 0) {
        /* Their memory stays: they still run. Another gateway adopts what they do not finish. */
        log_warn("checks_left", "count=%" PRIuFAST64, atomic_load(&k->checking));
        return;
    }
    k->app->keeper = NULL;
    pthread_cond_destroy(&k->wake);
    pthread_mutex_destroy(&k->lock);
    arena_free(k->arena);
    free(k);
}

void keeper_stats(const struct keeper *k, struct keeper_stats *out)
{
    *out = (struct keeper_stats){
        .expired = atomic_load(&k->expired),
        .exited = atomic_load(&k->exited),
        .lapsed = atomic_load(&k->lapsed),
        .adopted = atomic_load(&k->adopted),
        .passed = atomic_load(&k->passed),
        .rejected = atomic_load(&k->rejected),
        .resyncs = atomic_load(&k->resyncs),
        .failures = atomic_load(&k->failures),
        .checking = atomic_load(&k->checking),
    };
}
