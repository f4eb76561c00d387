/* SPDX-License-Identifier: MIT */
#include "queue/thread.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/hash.h"
#include "queue/link.h"
#include "queue/listen.h"

struct job {
    struct job *next;
    void (*work)(struct queue *queue, void *ctx);
    void *ctx;
};

struct queue_thread {
    struct queue queue; /* the thread's own */
    struct listener *listener;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct job *first; /* under the lock */
    struct job **last;
    bool stop;
};

/* Takes all jobs; waits for one until the next attempt to connect is due. */
static struct job *take_jobs(struct queue_thread *t, bool *stop)
{
    struct timespec until;
    struct job *jobs;

    clock_gettime(CLOCK_MONOTONIC, &until);
    /* Away: come back to connect. Up: come back to notice a dead link before the next claim does.
     */
    until.tv_nsec += t->queue.link ? 999000000 : 50000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&t->lock);
    while (t->first == NULL && !t->stop)
        if (pthread_cond_timedwait(&t->wake, &t->lock, &until) != 0)
            break;
    jobs = t->first;
    t->first = NULL;
    t->last = &t->first;
    *stop = t->stop;
    pthread_mutex_unlock(&t->lock);
    return jobs;
}

static void run_jobs(struct queue *q, struct job *jobs)
{
    while (jobs) {
        struct job *job = jobs;

        jobs = job->next;
        job->work(q, job->ctx);
        free(job);
    }
    /* What is sent comes before the bells that speak of it. */
    link_ring_out(q);
    link_drain(q);
}

static void ping(struct queue *q)
{
    struct link_args a = {.n = 0};

    link_arg(&a, "PING", 4);
    (void)link_append(q, &a, NULL);
    link_drain(q);
}

static void *queue_main(void *arg)
{
    struct queue_thread *t = arg;
    bool stop = false;

    for (;;) {
        struct job *jobs;

        link_try(&t->queue);
        jobs = take_jobs(t, &stop);
        if (jobs == NULL && stop)
            break;
        if (jobs)
            run_jobs(&t->queue, jobs);
        else if (t->queue.link)
            ping(&t->queue);
    }
    link_drop(&t->queue);
    return NULL;
}

static void free_thread(struct queue_thread *t)
{
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

enum err_code queue_start(const struct queue_config *config, struct queue_thread **out,
                          struct err *err)
{
    struct queue_thread *t = calloc(1, sizeof(*t));
    pthread_condattr_t attr;
    enum err_code rc;

    if (t == NULL)
        abort();
    t->last = &t->first;
    t->queue.ring = config->ring;
    t->queue.ctx = config->ctx;
    t->queue.backoff_us = 100000;
    random_bytes(&t->queue.self, sizeof(t->queue.self));
    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&t->wake, &attr);
    pthread_condattr_destroy(&attr);
    rc = link_parse(config->url, &t->queue.at, err);
    if (rc == E_OK)
        rc = listener_start(&t->queue.at, t->queue.self, config, &t->listener, err);
    if (rc == E_OK && pthread_create(&t->thread, NULL, queue_main, t) != 0) {
        listener_stop(t->listener);
        rc = err_set(err, E_IO, "cannot start the queue's thread");
    }
    if (rc != E_OK) {
        free_thread(t);
        return rc;
    }
    *out = t;
    return E_OK;
}

void queue_stop(struct queue_thread *t)
{
    if (t == NULL)
        return;
    pthread_mutex_lock(&t->lock);
    t->stop = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    listener_stop(t->listener);
    free_thread(t);
}

void queue_post(struct queue_thread *t, void (*work)(struct queue *queue, void *ctx), void *ctx)
{
    struct job *job = malloc(sizeof(*job));

    if (job == NULL)
        abort();
    *job = (struct job){.work = work, .ctx = ctx};
    pthread_mutex_lock(&t->lock);
    *t->last = job;
    t->last = &job->next;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->lock);
}

bool queue_up(const struct queue_thread *t)
{
    return atomic_load(&t->queue.up);
}

uint64_t queue_losses(const struct queue_thread *t)
{
    return atomic_load(&t->queue.losses);
}
