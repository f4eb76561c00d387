/* SPDX-License-Identifier: MIT */
#include "queue/listen.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/clock.h"

#define POLL_MS    200
#define RETRY_US   500000
#define SILENCE_US 15000000

struct listener {
    struct link_address at;
    uint64_t self;
    struct queue_config config;
    pthread_t thread;
    atomic_bool stop;
    redisContext *link;
    int64_t heard_us;
};

static void hang_up(struct listener *l)
{
    if (l->link)
        redisFree(l->link);
    l->link = NULL;
}

static void hear(struct listener *l, const redisReply *r)
{
    const redisReply *body;

    if (r->type != REDIS_REPLY_ARRAY || r->elements != 3 || r->element[0]->str == NULL ||
        strcmp(r->element[0]->str, "message") != 0)
        return;
    body = r->element[2];
    if (body->type == REDIS_REPLY_STRING)
        bell_read(bytes_of(body->str, (size_t)body->len), l->self, l->config.ring, l->config.ctx);
}

/* Reads what has come; false when the link is dead. */
static bool read_some(struct listener *l)
{
    void *r = NULL;

    if (redisBufferRead(l->link) != REDIS_OK)
        return false;
    l->heard_us = clock_mono_us();
    for (;;) {
        if (redisGetReplyFromReader(l->link, &r) != REDIS_OK)
            return false;
        if (r == NULL)
            return true;
        hear(l, r);
        freeReplyObject(r);
    }
}

static bool send_now(struct listener *l, const char *command)
{
    int done = 0;

    if (redisAppendCommand(l->link, command) != REDIS_OK)
        return false;
    while (!done)
        if (redisBufferWrite(l->link, &done) != REDIS_OK)
            return false;
    return true;
}

static bool subscribe(struct listener *l)
{
    struct err err;

    if (link_connect(&l->at, &l->link, &err) != E_OK)
        return false;
    l->heard_us = clock_mono_us();
    return send_now(l, "SUBSCRIBE " BELL_CHANNEL);
}

/* A peer that vanished without a FIN is silent for ever: ask it to speak, then give it up. */
static bool still_there(struct listener *l, bool *asked)
{
    int64_t silence = clock_mono_us() - l->heard_us;

    if (silence < SILENCE_US) {
        *asked = false;
        return true;
    }
    if (silence > 2 * SILENCE_US)
        return false;
    if (!*asked && !send_now(l, "PING"))
        return false;
    *asked = true;
    return true;
}

static void *listen_main(void *arg)
{
    struct listener *l = arg;
    bool asked = false;

    while (!atomic_load(&l->stop)) {
        struct pollfd p = {.events = POLLIN};
        bool alive = l->link || subscribe(l);

        if (alive && l->link) {
            p.fd = l->link->fd;
            alive = poll(&p, 1, POLL_MS) <= 0 || read_some(l);
        }
        if (alive)
            alive = still_there(l, &asked);
        if (!alive) {
            struct timespec pause = {.tv_nsec = RETRY_US * 1000};

            hang_up(l);
            nanosleep(&pause, NULL);
        }
    }
    hang_up(l);
    return NULL;
}

enum err_code listener_start(const struct link_address *at, uint64_t self,
                             const struct queue_config *config, struct listener **out,
                             struct err *err)
{
    struct listener *l = calloc(1, sizeof(*l));

    if (l == NULL)
        abort();
    l->at = *at;
    l->self = self;
    l->config = *config;
    if (pthread_create(&l->thread, NULL, listen_main, l) != 0) {
        free(l);
        return err_set(err, E_IO, "cannot start the bell's thread");
    }
    *out = l;
    return E_OK;
}

void listener_stop(struct listener *l)
{
    atomic_store(&l->stop, true);
    pthread_join(l->thread, NULL);
    free(l);
}
