/* SPDX-License-Identifier: MIT */
#include "server/reaper.h"

#include <stdlib.h>
#include <sys/socket.h>

/* Above this share of all connections idle ones go first, so that new clients find a place. */
#define CROWDED_NUM 7
#define CROWDED_DEN 8

#define SECOND_US 1000000

static bool crowded(const struct reaper *r)
{
    return r->connections * CROWDED_DEN > r->limits.connections_max * CROWDED_NUM;
}

struct conn *reaper_open(struct reaper *r, int fd, int64_t now_us)
{
    struct conn *c = r->spare;

    if (c)
        r->spare = c->next;
    else
        c = malloc(sizeof(*c));
    if (!c)
        abort();
    *c = (struct conn){
        .fd = fd, .phase = CONN_HEADERS, .opened_us = now_us, .begun_us = now_us, .next = r->first};
    c->deadline_us = now_us + r->limits.headers_us;
    if (r->first)
        r->first->prev = c;
    r->first = c;
    r->connections++;
    r->accepted++;
    return c;
}

void reaper_close(struct reaper *r, struct conn *c)
{
    if (c->prev)
        c->prev->next = c->next;
    else
        r->first = c->next;
    if (c->next)
        c->next->prev = c->prev;
    r->connections--;
    c->next = r->spare;
    r->spare = c;
}

void reaper_headers(struct reaper *r, struct conn *c, int64_t now_us)
{
    /* The first request's time runs from accept: its line may have dripped in. */
    if (c->phase != CONN_HEADERS) {
        c->phase = CONN_HEADERS;
        c->begun_us = now_us;
        c->deadline_us = now_us + r->limits.headers_us;
    }
}

void reaper_request(struct reaper *r, struct conn *c, int64_t now_us)
{
    c->phase = CONN_REQUEST;
    c->begun_us = now_us;
    c->deadline_us = now_us + r->limits.request_us;
}

void reaper_extend(struct reaper *r, struct conn *c, int64_t deadline_us)
{
    if (c->deadline_us < deadline_us + r->limits.request_us)
        c->deadline_us = deadline_us + r->limits.request_us;
}

void reaper_progress(struct reaper *r, struct conn *c, int64_t bytes)
{
    int64_t s = bytes / r->limits.bytes_per_s + 1;

    if (s < INT32_MAX)
        reaper_extend(r, c, c->begun_us + s * SECOND_US);
}

void reaper_linger(struct reaper *r, struct conn *c, int64_t now_us)
{
    c->deadline_us = now_us + r->limits.request_us;
}

void reaper_idle(struct reaper *r, struct conn *c, int64_t now_us)
{
    int64_t old = c->opened_us + r->limits.age_us;

    c->phase = CONN_IDLE;
    c->begun_us = now_us;
    c->deadline_us = now_us + r->limits.idle_us;
    if (c->deadline_us > old)
        c->deadline_us = old;
}

bool reaper_is_last(const struct reaper *r, const struct conn *c, int64_t now_us)
{
    /* Told a little before the age is reached: a close that is announced races with nobody. */
    return crowded(r) || now_us - c->opened_us > r->limits.age_us - r->limits.age_us / 8;
}

void reaper_cut(struct reaper *r, struct conn *c)
{
    if (c->cut)
        return;
    c->cut = true;
    r->cut++;
    shutdown(c->fd, SHUT_RDWR);
}

void reaper_cut_idle(struct reaper *r, int64_t now_us)
{
    for (struct conn *c = r->first; c; c = c->next) {
        /* A request may be on its way on a connection that was just made. */
        bool fresh = c->phase == CONN_HEADERS && now_us - c->begun_us < SECOND_US;

        if (!c->request && !fresh)
            reaper_cut(r, c);
    }
}

void reaper_turn(struct reaper *r, int64_t now_us)
{
    bool full = crowded(r);

    for (struct conn *c = r->first; c; c = c->next) {
        bool in_the_way = full && c->phase == CONN_IDLE && now_us - c->begun_us > SECOND_US;

        if (c->deadline_us <= now_us || in_the_way)
            reaper_cut(r, c);
    }
}

static void free_list(struct conn *c)
{
    while (c) {
        struct conn *next = c->next;

        free(c);
        c = next;
    }
}

void reaper_free(struct reaper *r)
{
    free_list(r->first);
    free_list(r->spare);
    r->first = NULL;
    r->spare = NULL;
}
