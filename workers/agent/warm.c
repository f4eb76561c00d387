/* SPDX-License-Identifier: MIT */
#include "workers/agent/warm.h"

#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"

void warm_open(struct warm *w, const struct warm_config *config)
{
    memset(w, 0, sizeof(*w));
    w->config = *config;
    pthread_mutex_init(&w->mutex, NULL);
}

/* ---- the rest of this part: with the mutex held ---- */

/* The source's history; the one that was silent longest makes room for a new one. */
static struct warm_history *history(struct warm *w, struct uuid source)
{
    size_t oldest = 0;
    for (size_t i = 0; i < w->known_count; i++) {
        if (uuid_eq(w->known[i].source, source))
            return &w->known[i].h;
        if (w->known[i].h.last_us < w->known[oldest].h.last_us)
            oldest = i;
    }
    size_t at = w->known_count < WARM_SOURCES_MAX ? w->known_count++ : oldest;
    w->known[at].source = source;
    w->known[at].h = (struct warm_history){0};
    return &w->known[at].h;
}

static int64_t retire_at(const struct warm *w, const struct warm_entry *e)
{
    return e->born_us + w->config.life_us;
}

static unsigned take_berth(struct warm *w)
{
    unsigned i = 0;
    while (i < WARM_BERTHS_MAX - 1 && w->berths[i])
        i++;
    w->berths[i] = true;
    return i;
}

/* Take an entry out of the list; killing it is for later, without the mutex. */
static struct warm_entry take_out(struct warm *w, size_t i)
{
    struct warm_entry e = w->at_rest[i];
    w->at_rest[i] = w->at_rest[--w->count];
    return e;
}

static int64_t held(const struct warm *w)
{
    int64_t sum = 0;
    for (size_t i = 0; i < w->count; i++)
        sum += w->at_rest[i].held_bytes;
    return sum;
}

static size_t least_worth(struct warm *w, int64_t now)
{
    size_t least = 0;
    double low = 0;
    for (size_t i = 0; i < w->count; i++) {
        const struct warm_entry *e = &w->at_rest[i];
        double value = warm_value(history(w, e->source), now, retire_at(w, e), e->held_bytes);
        if (i == 0 || value < low) {
            least = i;
            low = value;
        }
    }
    return least;
}

/* ---- without the mutex ---- */

static void kill_one(struct warm *w, const struct warm_entry *e, const char *why)
{
    box_close(e->box);
    if (e->hold >= 0)
        close(e->hold);
    pthread_mutex_lock(&w->mutex);
    w->berths[e->berth] = false;
    pthread_mutex_unlock(&w->mutex);
    log_info("warm_ended", "why=%s tasks=%lld held_mb=%lld", why, (long long)e->tasks,
             (long long)(e->held_bytes >> 20));
}

void warm_close(struct warm *w)
{
    while (w->count > 0) {
        struct warm_entry e = take_out(w, w->count - 1);
        kill_one(w, &e, "drained");
    }
    pthread_mutex_destroy(&w->mutex);
}

void warm_take(struct warm *w, struct uuid source, bool may_keep, struct warm_seat *out)
{
    int64_t now = clock_mono_us();
    pthread_mutex_lock(&w->mutex);
    *out = (struct warm_seat){.source = source,
                              .keep = may_keep && w->config.budget_bytes > 0,
                              .born_us = now,
                              .hold = -1};
    if (out->keep)
        warm_saw_task(history(w, source), now);
    for (size_t i = 0; out->keep && !out->box && i < w->count; i++) {
        if (!uuid_eq(w->at_rest[i].source, source) || retire_at(w, &w->at_rest[i]) <= now)
            continue;
        struct warm_entry e = take_out(w, i);
        out->box = e.box;
        out->hit = true;
        out->berth = e.berth;
        out->tasks = e.tasks;
        out->born_us = e.born_us;
        out->hold = e.hold;
    }
    if (!out->box)
        out->berth = take_berth(w);
    if (out->keep)
        (*(out->hit ? &w->counts.hits : &w->counts.misses))++;
    pthread_mutex_unlock(&w->mutex);
}

void warm_replace(struct warm *w, struct warm_seat *seat)
{
    box_close(seat->box);
    pthread_mutex_lock(&w->mutex);
    w->counts.faulted++;
    w->counts.hits -= seat->hit;
    w->counts.misses += seat->hit;
    pthread_mutex_unlock(&w->mutex);
    if (seat->hold >= 0)
        close(seat->hold);
    seat->hold = -1;
    seat->box = NULL;
    seat->hit = false;
    seat->tasks = 0;
    seat->born_us = clock_mono_us();
}

/* Put it to rest, and take out what then is too much: the least worthy first, be it this one. */
static size_t put(struct warm *w, const struct warm_entry *e, int64_t now, struct warm_entry *out)
{
    size_t n = 0;
    if (w->count == WARM_MAX)
        out[n++] = take_out(w, least_worth(w, now));
    w->at_rest[w->count++] = *e;
    w->counts.kept++;
    while (held(w) > w->config.budget_bytes)
        out[n++] = take_out(w, least_worth(w, now));
    w->counts.evicted += n;
    return n;
}

static const char *why_not(const struct warm *w, const struct warm_entry *e,
                           const struct box_result *r, int64_t now)
{
    if (!r->kept)
        return "fault";
    if (e->tasks >= w->config.tasks_max || retire_at(w, e) <= now)
        return "recycled";
    return NULL;
}

void warm_give_back(struct warm *w, struct warm_seat *seat, const struct box_result *r)
{
    struct warm_entry out[WARM_MAX + 1];
    size_t n = 0;
    int64_t now = clock_mono_us();
    struct warm_entry e = {.box = seat->box,
                           .source = seat->source,
                           .berth = seat->berth,
                           .hold = seat->hold,
                           .tasks = seat->tasks + 1,
                           .born_us = seat->born_us,
                           .held_bytes = r->usage.held_bytes};
    pthread_mutex_lock(&w->mutex);
    if (seat->keep && r->end == BOX_OK)
        warm_saw_start(history(w, seat->source), r->usage.start_ms + r->usage.ready_ms, seat->hit);
    const char *why = e.box ? why_not(w, &e, r, now) : NULL;
    if (!e.box)
        w->berths[e.berth] = false;
    else if (!why)
        n = put(w, &e, now, out);
    if (seat->keep && (why || !e.box))
        (*(why && r->kept ? &w->counts.recycled : &w->counts.faulted))++;
    pthread_mutex_unlock(&w->mutex);
    for (size_t i = 0; i < n; i++)
        kill_one(w, &out[i], "evicted");
    if (why)
        kill_one(w, &e, why);
    if (!e.box && e.hold >= 0)
        close(e.hold);
    seat->box = NULL;
}

void warm_tidy(struct warm *w)
{
    struct warm_entry out[WARM_MAX];
    size_t n = 0;
    int64_t now = clock_mono_us();
    pthread_mutex_lock(&w->mutex);
    for (size_t i = w->count; i-- > 0;) {
        if (retire_at(w, &w->at_rest[i]) <= now)
            out[n++] = take_out(w, i);
    }
    w->counts.recycled += n;
    pthread_mutex_unlock(&w->mutex);
    for (size_t i = 0; i < n; i++)
        kill_one(w, &out[i], "recycled");
}

struct warm_counts warm_count(struct warm *w, size_t *at_rest, int64_t *held_bytes)
{
    pthread_mutex_lock(&w->mutex);
    struct warm_counts c = w->counts;
    *at_rest = w->count;
    *held_bytes = held(w);
    pthread_mutex_unlock(&w->mutex);
    return c;
}
