/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <hiredis/hiredis.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "redis.h"

struct redis {
    pid_t pid;
    char dir[64];
    char sock[96];
    char url[128];
};

static void pause_ms(long ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    nanosleep(&t, NULL);
}

static void launch(struct redis *r)
{
    r->pid = fork();
    assert_int_not_equal(r->pid, -1);
    if (r->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", r->sock, "--save", "",
               "--appendonly", "no", "--dir", r->dir, "--loglevel", "warning", (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 200; i++) {
        redisContext *c = redisConnectUnix(r->sock);
        bool ok = c && c->err == 0;

        if (c)
            redisFree(c);
        if (ok)
            return;
        pause_ms(25);
    }
    fail_msg("redis-server did not start");
}

struct redis *redis_start(void)
{
    struct redis *r = calloc(1, sizeof(*r));

    strcpy(r->dir, "/tmp/ogpu-redis-XXXXXX");
    assert_non_null(mkdtemp(r->dir));
    snprintf(r->sock, sizeof(r->sock), "%s/s", r->dir);
    snprintf(r->url, sizeof(r->url), "unix://%s", r->sock);
    launch(r);
    return r;
}

void redis_kill(struct redis *r)
{
    kill(r->pid, SIGKILL);
    waitpid(r->pid, NULL, 0);
    unlink(r->sock);
}

void redis_again(struct redis *r)
{
    launch(r);
}

void redis_stop(struct redis *r)
{
    redis_kill(r);
    rmdir(r->dir);
    free(r);
}

const char *redis_url(const struct redis *r)
{
    return r->url;
}

long long redis_do(const struct redis *r, const char *command, ...)
{
    redisContext *c = redisConnectUnix(r->sock);
    redisReply *reply;
    long long n;
    va_list args;

    assert_true(c && c->err == 0);
    va_start(args, command);
    reply = redisvCommand(c, command, args);
    va_end(args);
    assert_non_null(reply);
    n = reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;
    freeReplyObject(reply);
    redisFree(c);
    return n;
}

struct errand {
    void (*work)(struct queue *q, void *ctx);
    void *ctx;
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool over;
};

static void run(struct queue *q, void *ctx)
{
    struct errand *e = ctx;

    e->work(q, e->ctx);
    pthread_mutex_lock(&e->lock);
    e->over = true;
    pthread_cond_signal(&e->done);
    pthread_mutex_unlock(&e->lock);
}

void queue_do(struct queue_thread *t, void (*work)(struct queue *q, void *ctx), void *ctx)
{
    struct errand e = {.work = work, .ctx = ctx};

    pthread_mutex_init(&e.lock, NULL);
    pthread_cond_init(&e.done, NULL);
    queue_post(t, run, &e);
    pthread_mutex_lock(&e.lock);
    while (!e.over)
        pthread_cond_wait(&e.done, &e.lock);
    pthread_mutex_unlock(&e.lock);
    pthread_mutex_destroy(&e.lock);
    pthread_cond_destroy(&e.done);
}

void queue_wait(struct queue_thread *t, bool up)
{
    for (int i = 0; i < 500 && queue_up(t) != up; i++)
        pause_ms(20);
    assert_int_equal(queue_up(t), up);
}
