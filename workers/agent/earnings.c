/* SPDX-License-Identifier: MIT */
#include "workers/agent/earnings.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"

/* Larger rewards count as this: the products below stay within 63 bits. */
#define UNITS_MAX (INT64_C(1) << 40)
#define HOUR_MS   INT64_C(3600000)

static int64_t blend(int64_t mean, int64_t sample, bool first)
{
    return first ? sample : mean + (sample - mean) / 4;
}

static int64_t units_of(struct wei w)
{
    uint64_t units;
    struct err err;
    if (wei_to_units(w, &units, &err) != E_OK || units > (uint64_t)UNITS_MAX)
        return UNITS_MAX;
    return (int64_t)units;
}

static struct earning *find(struct earnings *e, struct uuid source)
{
    for (size_t i = 0; i < e->n; i++) {
        if (uuid_eq(e->rows[i].source, source))
            return &e->rows[i];
    }
    return NULL;
}

/* The row of a source; the one that was not run for longest makes room. */
static struct earning *row(struct earnings *e, struct uuid source)
{
    struct earning *r = find(e, source);
    if (r)
        return r;
    r = &e->rows[0];
    if (e->n < EARNINGS_MAX) {
        r = &e->rows[e->n++];
    } else {
        for (size_t i = 1; i < e->n; i++)
            r = e->rows[i].last_s < r->last_s ? &e->rows[i] : r;
    }
    *r = (struct earning){.source = source};
    return r;
}

static int64_t number(const json_t *v, const char *name)
{
    json_int_t n = json_integer_value(json_object_get(v, name));
    return n < 0 ? 0 : n;
}

void earnings_open(struct earnings *e, const char *work_dir)
{
    memset(e, 0, sizeof(*e));
    pthread_mutex_init(&e->mutex, NULL);
    snprintf(e->path, sizeof(e->path), "%.560s/earnings.json", work_dir);
    json_t *v = json_load_file(e->path, JSON_REJECT_DUPLICATES, NULL);
    const char *id;
    json_t *item;
    json_object_foreach(v, id, item)
    {
        struct uuid source;
        if (e->n == EARNINGS_MAX || !id_parse(ID_SOURCE, text_of(id), &source))
            continue;
        e->rows[e->n++] = (struct earning){
            source,
            number(item, "tasks"),
            number(item, "good"),
            number(item, "mean_ms"),
            number(item, "reward_units"),
            number(item, "last_s"),
        };
    }
    json_decref(v);
}

void earnings_close(struct earnings *e)
{
    pthread_mutex_destroy(&e->mutex);
}

static void save(const struct earnings *e)
{
    char tmp[620];
    json_t *v = json_object();
    for (size_t i = 0; i < e->n; i++) {
        char id[ID_TEXT_MAX];
        const struct earning *r = &e->rows[i];
        id_format(ID_SOURCE, r->source, id);
        json_object_set_new(
            v, id,
            json_pack("{s:I, s:I, s:I, s:I, s:I}", "tasks", (json_int_t)r->tasks, "good",
                      (json_int_t)r->good, "mean_ms", (json_int_t)r->mean_ms, "reward_units",
                      (json_int_t)r->reward_units, "last_s", (json_int_t)r->last_s));
    }
    snprintf(tmp, sizeof(tmp), "%s.new", e->path);
    /* A lost book costs an estimate, no money: no fsync, but never half a file. */
    if (json_dump_file(v, tmp, JSON_COMPACT) != 0 || rename(tmp, e->path) != 0) {
        unlink(tmp);
        log_warn("earnings_not_saved", "file=%s", e->path);
    }
    json_decref(v);
}

void earnings_note(struct earnings *e, struct uuid source, struct wei reward, int64_t ms, bool good)
{
    pthread_mutex_lock(&e->mutex);
    struct earning *r = row(e, source);
    r->reward_units = blend(r->reward_units, units_of(reward), r->tasks == 0);
    if (good)
        r->mean_ms = blend(r->mean_ms, ms > 0 ? ms : 1, r->good == 0);
    r->tasks++;
    r->good += good;
    r->last_s = clock_wall_us() / 1000000;
    save(e);
    pthread_mutex_unlock(&e->mutex);
}

struct expectation earnings_expect(struct earnings *e, struct uuid source, const struct manifest *m,
                                   const struct power *power)
{
    struct expectation x = {.good_percent = 100, .mean_ms = m->limits.timeout_s * 1000};
    x.reward_units = units_of(m->min_reward);
    pthread_mutex_lock(&e->mutex);
    const struct earning *r = find(e, source);
    if (r && r->tasks > 0) {
        x.measured = true;
        x.tasks = r->tasks;
        x.good_percent = r->good * 100 / r->tasks;
        x.mean_ms = r->good > 0 ? r->mean_ms : x.mean_ms;
        x.reward_units = r->reward_units;
    }
    pthread_mutex_unlock(&e->mutex);
    if (x.reward_units > UNITS_MAX)
        x.reward_units = UNITS_MAX;
    /* At most 2^40 units and 3.6e6 ms: below 2^62. The share comes last, on what is whole units. */
    x.income = x.reward_units * HOUR_MS / (x.mean_ms > 0 ? x.mean_ms : 1);
    x.income = x.income / 100 * x.good_percent + x.income % 100 * x.good_percent / 100;
    x.cost = power->watts * power->kwh_units / 1000 / (power->slots > 0 ? power->slots : 1);
    x.profit = x.income - x.cost;
    return x;
}
