/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/load.h"
#include "lib/clock.h"

/* Submits and reads of tasks, and the plain GET of a server that knows nothing of tasks. */

static void submit(struct load *l, struct conn *c)
{
    uint64_t r = load_random(l);
    char extra[96] = "";
    char body[320];
    int n;

    c->key = (uint32_t)(r % l->world.n_keys);
    n = snprintf(body, sizeof(body),
                 "{\"source\":\"%s\",\"input\":{\"prompt\":\"a cat on a GPU\",\"steps\":20,"
                 "\"seed\":%u},\"reward\":\"1000000000000\",\"racers\":1}",
                 l->world.sources[(r >> 32) % l->world.n_sources], (unsigned)(r >> 40));
    if (l->opt.idempotent_pct > 0 && (r >> 20) % 100 < l->opt.idempotent_pct)
        snprintf(extra, sizeof(extra), "Idempotency-Key: load-%016llx%08x\r\n",
                 (unsigned long long)load_random(l), c->number);
    c->phase = PHASE_SUBMIT;
    request_begin(c, "POST", "/v1/tasks", l->world.keys[c->key], extra);
    request_end(c, "application/json", body, (size_t)n);
}

static void read_task(struct load *l, struct conn *c)
{
    const struct known_task *t = &l->world.tasks[load_random(l) % l->world.n_tasks];
    char path[64];

    c->key = t->key;
    c->phase = PHASE_READ;
    snprintf(path, sizeof(path), "/v1/tasks/%s", t->id);
    request_begin(c, "GET", path, l->world.keys[t->key], "");
    request_end(c, NULL, NULL, 0);
}

static bool next_submit(struct load *l, struct conn *c)
{
    if (!load_may_begin(l))
        return false;
    submit(l, c);
    return true;
}

static bool next_read(struct load *l, struct conn *c)
{
    if (!load_may_begin(l))
        return false;
    read_task(l, c);
    return true;
}

static bool next_mixed(struct load *l, struct conn *c)
{
    if (!load_may_begin(l))
        return false;
    if (c->turn++ % 2 == 1 && l->world.n_tasks > 0)
        read_task(l, c);
    else
        submit(l, c);
    return true;
}

static bool next_get(struct load *l, struct conn *c)
{
    if (!load_may_begin(l))
        return false;
    c->phase = PHASE_READ;
    request_begin(c, "GET", l->opt.path, NULL, "");
    request_end(c, NULL, NULL, 0);
    return true;
}

/* The id of the task that a 201 tells: its first member. */
static bool learn_task(struct load *l, const struct conn *c, const char *body, size_t n)
{
    static const char mark[] = "\"id\":\"tsk_";
    const char *at = memmem(body, n, mark, sizeof(mark) - 1);

    if (!at || at + 6 + 30 >= body + n || at[6 + 30] != '"')
        return false;
    world_add_task(&l->world, at + 6, c->key);
    return true;
}

static void answer(struct load *l, struct conn *c, int status, const char *body, size_t n)
{
    bool submitted = c->phase == PHASE_SUBMIT;
    int64_t now = clock_mono_us();

    c->phase = PHASE_IDLE;
    if (status != (submitted ? 201 : 200) || (submitted && !learn_task(l, c, body, n))) {
        stats_unexpected(&l->stats, status, body, n);
        return;
    }
    if (load_counts(l, c->sent_us))
        samples_add(submitted ? &l->stats.submit : &l->stats.read, now - c->sent_us);
}

const struct traffic traffic_submit = {"submit", next_submit, answer};
const struct traffic traffic_read = {"read", next_read, answer};
const struct traffic traffic_mixed = {"mixed", next_mixed, answer};
const struct traffic traffic_get = {"get", next_get, answer};
