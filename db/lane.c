/* SPDX-License-Identifier: MIT */
#include "db/lane.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/lane_run.h"
#include "lib/clock.h"

struct db_lanes {
    char *url;
    struct lane *all;
    size_t n_all;
    size_t first[SQL_CLASS_COUNT]; /* of each class in `all` */
    size_t count[SQL_CLASS_COUNT];
    atomic_uint_fast64_t turn; /* reads go round */
    atomic_bool draining;
};

static void lane_init(struct lane *l, const struct db_lanes *lanes, enum sql_class class,
                      int number, size_t queue_max)
{
    static const enum link_use uses[] = {
        [SQL_CLASS_READ] = LINK_READ, [SQL_CLASS_WRITE] = LINK_WRITE, [SQL_CLASS_SLOW] = LINK_SLOW};
    pthread_condattr_t monotonic;

    l->class = class;
    l->queue_max = queue_max;
    link_init(&l->link, lanes->url, uses[class], number);
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&l->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    atomic_store(&l->healthy, true);
}

/* Signals belong to the main thread. */
static int start_quiet(pthread_t *thread, struct lane *l)
{
    sigset_t all, old;
    int failed;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    failed = pthread_create(thread, NULL, lane_main, l);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return failed;
}

static void lanes_free(struct db_lanes *lanes)
{
    for (size_t i = 0; i < lanes->n_all; i++) {
        link_close(&lanes->all[i].link);
        pthread_cond_destroy(&lanes->all[i].wake);
        pthread_mutex_destroy(&lanes->all[i].lock);
    }
    free(lanes->all);
    free(lanes->url);
    free(lanes);
}

static void stop_lanes(struct lane *all, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        pthread_mutex_lock(&all[i].lock);
        all[i].stop = true;
        pthread_cond_signal(&all[i].wake);
        pthread_mutex_unlock(&all[i].lock);
    }
    for (size_t i = 0; i < n; i++) {
        pthread_join(all[i].thread, NULL);
    }
}

static struct db_lanes *lanes_new(const struct db_lanes_config *config)
{
    const int counts[SQL_CLASS_COUNT] = {[SQL_CLASS_READ] = config->read_lanes,
                                         [SQL_CLASS_WRITE] = config->write_lanes,
                                         [SQL_CLASS_SLOW] = config->slow_lanes};
    struct db_lanes *lanes = calloc(1, sizeof(*lanes));
    size_t at = 0;

    if (!lanes) {
        abort();
    }
    for (int c = 0; c < SQL_CLASS_COUNT; c++) {
        lanes->first[c] = lanes->n_all;
        lanes->count[c] = (size_t)counts[c];
        lanes->n_all += (size_t)counts[c];
    }
    lanes->url = strdup(config->url);
    lanes->all = calloc(lanes->n_all, sizeof(*lanes->all));
    if (!lanes->url || !lanes->all) {
        abort();
    }
    for (int c = 0; c < SQL_CLASS_COUNT; c++) {
        for (int i = 0; i < counts[c]; i++) {
            lane_init(&lanes->all[at++], lanes, (enum sql_class)c, i, config->queue_max);
        }
    }
    return lanes;
}

enum err_code db_lanes_open(const struct db_lanes_config *config, struct db_lanes **out,
                            struct err *err)
{
    struct db_lanes *lanes;
    enum err_code code = E_OK;

    if (config->read_lanes < 1 || config->write_lanes < 1 || config->slow_lanes < 1 ||
        config->queue_max < 1) {
        return err_set(err, E_CONFIG, "each lane class needs a lane, and room to queue");
    }
    lanes = lanes_new(config);
    for (size_t i = 0; !code && i < lanes->n_all; i++) {
        code = link_open(&lanes->all[i].link, err);
    }
    for (size_t i = 0; !code && i < lanes->n_all; i++) {
        if (start_quiet(&lanes->all[i].thread, &lanes->all[i]) != 0) {
            stop_lanes(lanes->all, i);
            code = err_set(err, E_INTERNAL, "cannot start a lane's thread");
        }
    }
    if (code) {
        lanes_free(lanes);
        return code;
    }
    *out = lanes;
    return E_OK;
}

void db_lanes_close(struct db_lanes *lanes)
{
    if (lanes) {
        atomic_store(&lanes->draining, true);
        stop_lanes(lanes->all, lanes->n_all);
        lanes_free(lanes);
    }
}

/* Spreads routes that are not hashes, such as small account ids. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 31) * 0x9e3779b97f4a7c15ULL;
    return x ^ x >> 29;
}

static struct lane *lane_for(struct db_lanes *lanes, const struct db_call *call)
{
    enum sql_class class = sql_stmts[call->stmt].class;
    uint64_t route = class == SQL_CLASS_READ ? atomic_fetch_add(&lanes->turn, 1) : mix(call->route);

    return &lanes->all[lanes->first[class] + route % lanes->count[class]];
}

static void refuse(struct db_call *call, enum err_code code, const char *why)
{
    err_set(&call->err, code, "%s: %s", sql_stmts[call->stmt].name, why);
    call->done(call);
}

void db_submit(struct db_lanes *lanes, struct db_call *call)
{
    struct lane *l = lane_for(lanes, call);
    bool stopped;

    call->rows = NULL;
    call->n_rows = 0;
    call->tries = 0;
    call->unknown = false;
    call->since_us = clock_mono_us();
    if (atomic_load(&lanes->draining)) {
        refuse(call, E_DRAINING, "the lanes are closing");
        return;
    }
    if (atomic_fetch_add(&l->waiting, 1) >= l->queue_max) {
        atomic_fetch_sub(&l->waiting, 1);
        refuse(call, E_BUSY, "the queue is full");
        return;
    }
    pthread_mutex_lock(&l->lock);
    stopped = l->stop;
    if (!stopped) {
        bool idle = !l->in.head;

        queue_push(&l->in, call);
        if (idle) {
            pthread_cond_signal(&l->wake);
        }
    }
    pthread_mutex_unlock(&l->lock);
    if (stopped) {
        atomic_fetch_sub(&l->waiting, 1);
        refuse(call, E_DRAINING, "the lanes are closing");
    }
}

bool db_lanes_healthy(struct db_lanes *lanes)
{
    for (size_t i = 0; i < lanes->n_all; i++) {
        if (!atomic_load(&lanes->all[i].healthy)) {
            return false;
        }
    }
    return true;
}

void db_lanes_stats(struct db_lanes *lanes, enum sql_class class, struct db_lane_stats *out)
{
    *out = (struct db_lane_stats){0};
    for (size_t i = 0; i < lanes->count[class]; i++) {
        struct lane *l = &lanes->all[lanes->first[class] + i];

        out->calls += atomic_load(&l->calls);
        out->batches += atomic_load(&l->batches);
        out->retries += atomic_load(&l->retries);
        out->lost_commits += atomic_load(&l->lost_commits);
        out->isolated += atomic_load(&l->isolated);
        out->waiting += atomic_load(&l->waiting);
    }
}
