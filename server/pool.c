/* SPDX-License-Identifier: MIT */
#include "server/pool.h"

#include <pthread.h>
#include <stdlib.h>

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct pool_job *first;
    struct pool_job **last;
    size_t queue_max;
    struct pool_stats stats;
    bool stopping;
    size_t started;
    pthread_t thread[];
};

static struct pool_job *take(struct pool *pool)
{
    struct pool_job *job;

    while (!pool->first && !pool->stopping)
        pthread_cond_wait(&pool->more, &pool->lock);
    job = pool->first;
    if (!job)
        return NULL;
    pool->first = job->next;
    if (!pool->first)
        pool->last = &pool->first;
    pool->stats.waiting--;
    pool->stats.running++;
    return job;
}

static void *work(void *arg)
{
    struct pool *pool = arg;
    struct pool_job *job;

    pthread_mutex_lock(&pool->lock);
    while ((job = take(pool))) {
        pthread_mutex_unlock(&pool->lock);
        job->run(job); /* the job may be gone when this returns */
        pthread_mutex_lock(&pool->lock);
        pool->stats.running--;
        pool->stats.done++;
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

struct pool *pool_new(size_t threads, size_t queue_max)
{
    struct pool *pool = calloc(1, sizeof(*pool) + threads * sizeof(pool->thread[0]));

    if (!pool)
        abort();
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->more, NULL);
    pool->last = &pool->first;
    pool->queue_max = queue_max;
    while (pool->started < threads &&
           pthread_create(&pool->thread[pool->started], NULL, work, pool) == 0)
        pool->started++;
    pool->stats.threads = pool->started;
    if (pool->started > 0)
        return pool;
    pool_free(pool);
    return NULL;
}

void pool_free(struct pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->more);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < pool->started; i++)
        pthread_join(pool->thread[i], NULL);
    pthread_cond_destroy(&pool->more);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

bool pool_submit(struct pool *pool, struct pool_job *job)
{
    bool room;

    job->next = NULL;
    pthread_mutex_lock(&pool->lock);
    room = pool->stats.waiting < pool->queue_max && !pool->stopping;
    if (room) {
        *pool->last = job;
        pool->last = &job->next;
        pool->stats.waiting++;
        pthread_cond_signal(&pool->more);
    } else {
        pool->stats.refused++;
    }
    pthread_mutex_unlock(&pool->lock);
    return room;
}

void pool_stats(struct pool *pool, struct pool_stats *out)
{
    pthread_mutex_lock(&pool->lock);
    *out = pool->stats;
    pthread_mutex_unlock(&pool->lock);
}
