/* SPDX-License-Identifier: MIT */
#include "workers/agent/cards.h"

#include <time.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "workers/agent/offer.h"
#include "workers/agent/slot.h"

#define LOOK_PATIENCE_MS 5000
#define OFFER_LOOKS      5     /* what can be promised is looked for once in so many looks, */
#define OFFER_MS         10000 /* or after this time */

static void look(struct cards *c)
{
    static _Thread_local struct device_list list;
    struct err err;
    if (device_finder_scan(&c->finder, &list, &err) == E_OK)
        book_update(c->book, &list);
    else
        log_warn("devices_not_seen", "why=%s", err.text);
}

enum err_code cards_open(struct agent *a, const struct options *o, struct err *err)
{
    struct cards *c = &a->cards;
    struct device_book_config config = {.work_dir = o->work_dir,
                                        .lock_dir = o->device_locks,
                                        .scrub = o->scrub,
                                        .alarm = slot_card_failed,
                                        .ctx = a};
    static struct device_list list;
    c->options = o;
    c->finder = (struct device_finder){.simulate = o->simulate_gpu, .sys_root = o->sys_root};
    enum err_code rc = book_open(&config, &c->book, err);
    if (rc != E_OK)
        return rc;
    pthread_mutex_init(&c->mutex, NULL);
    pthread_cond_init(&c->changed, NULL);
    device_finder_open(&c->finder);
    rc = device_finder_scan(&c->finder, &list, err);
    if (rc == E_OK)
        book_update(c->book, &list);
    else
        cards_close(c);
    return rc;
}

void cards_close(struct cards *c)
{
    if (!c->book)
        return;
    device_finder_close(&c->finder);
    book_close(c->book);
    c->book = NULL;
    pthread_mutex_destroy(&c->mutex);
    pthread_cond_destroy(&c->changed);
}

static struct timespec in(int64_t ms)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    int64_t ns = t.tv_nsec + ms % 1000 * 1000000;
    t.tv_sec += ms / 1000 + ns / 1000000000;
    t.tv_nsec = (long)(ns % 1000000000);
    return t;
}

/* The driver may come, and its nodes be made, long after this worker began. */
static void look_for_offer(struct agent *a, int64_t *at)
{
    int64_t pace = a->options->device_ms * OFFER_LOOKS;
    int64_t now = clock_mono_us();
    bool due = now >= *at;
    if (due) {
        *at = now + (pace < OFFER_MS ? pace : OFFER_MS) * 1000;
        device_finder_again(&a->cards.finder);
    }
    look(&a->cards);
    if (due)
        (void)cards_offer(a, false);
}

void *cards_main(void *arg)
{
    struct agent *a = arg;
    struct cards *c = &a->cards;
    int64_t offer_at = 0;
    pthread_mutex_lock(&c->mutex);
    while (!atomic_load(&a->over)) {
        c->hurry = false;
        pthread_mutex_unlock(&c->mutex);
        look_for_offer(a, &offer_at);
        struct timespec until = in(c->options->device_ms);
        pthread_mutex_lock(&c->mutex);
        c->looks++;
        pthread_cond_broadcast(&c->changed);
        while (!c->hurry && !atomic_load(&a->over) &&
               pthread_cond_timedwait(&c->changed, &c->mutex, &until) == 0)
            ;
    }
    pthread_mutex_unlock(&c->mutex);
    return NULL;
}

void cards_wake(struct cards *c)
{
    pthread_mutex_lock(&c->mutex);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mutex);
}

/* Wait (5 s at most) for a look that began after this call: it knows what went wrong until now. */
static void look_now(struct cards *c)
{
    struct timespec until = in(LOOK_PATIENCE_MS);
    pthread_mutex_lock(&c->mutex);
    unsigned asked = c->looks;
    int rc = 0;
    /* The look under way may have begun before this call: the one behind it is the one that counts.
     */
    while (c->looks - asked < 2 && rc == 0) {
        c->hurry = true;
        pthread_cond_broadcast(&c->changed);
        rc = pthread_cond_timedwait(&c->changed, &c->mutex, &until);
    }
    pthread_mutex_unlock(&c->mutex);
}

unsigned cards_offer(struct agent *a, bool tell)
{
    static _Thread_local struct device_list list;
    book_cards(a->cards.book, &list);
    unsigned offer = offer_environments(a->options, a->shop.rootless, &list, tell);
    atomic_store(&a->cards.offer, offer);
    return offer;
}

/* ---- a slot's card ---- */

static void give_back(struct slot *s)
{
    struct card_hold *h = &s->card;
    bool used = h->used;
    pthread_mutex_lock(&s->mutex);
    h->used = false;
    h->code[0] = '\0';
    h->text[0] = '\0';
    pthread_mutex_unlock(&s->mutex);
    book_return(s->agent->cards.book, &h->lease, used);
    json_decref(h->edits);
    h->edits = NULL;
}

static enum err_code take(struct slot *s, const struct device_want *want, struct err *err)
{
    return book_lease(s->agent->cards.book, want, s->index, &s->card.lease, err);
}

/* A card for one of the sources; when none is free for that one, any. */
static void reserve(struct slot *s, unsigned environments)
{
    struct device_want any = {.environments = environments};
    struct device_want want;
    struct err err;
    if (!sources_card_need(&s->agent->sources, environments, &want))
        return;
    if (take(s, &want, &err) != E_OK && take(s, &any, &err) != E_OK)
        log_debug("no_card", "slot=%u why=%s", s->index, err.text);
}

static unsigned usable_cards(const struct slot *s)
{
    return sources_environments(&s->agent->sources) & s->agent->me.environments & ~ENV_CPU;
}

bool cards_wanted(const struct slot *s)
{
    return !s->card.lease.held && usable_cards(s) != 0;
}

json_t *cards_claim(struct slot *s, json_t *sources, bool *none)
{
    struct agent *a = s->agent;
    struct card_hold *h = &s->card;
    unsigned cards = usable_cards(s);
    if (h->lease.held &&
        (!book_is_sound(a->cards.book, &h->lease) || book_is_called(a->cards.book, &h->lease) ||
         !(h->lease.device.environment & cards)))
        give_back(s);
    if (!h->lease.held && cards)
        reserve(s, cards);
    return sources_fitting(&a->sources, h->lease.held ? &h->lease.device : NULL, sources, none);
}

enum err_code cards_begin(struct slot *s, const struct manifest *source, struct err *err)
{
    struct agent *a = s->agent;
    struct card_hold *h = &s->card;
    struct edits_config config = offer_edits(a->options);
    struct device_want want = {.environments = source->environments & a->me.environments & ~ENV_CPU,
                               .memory_mb = source->limits.card_memory_mb,
                               .in_hand = true};
    enum err_code rc = E_OK;
    if (h->lease.held &&
        (!(h->lease.device.environment & want.environments) ||
         h->lease.device.memory_mb < want.memory_mb || !book_is_sound(a->cards.book, &h->lease)))
        give_back(s);
    if (want.environments && !h->lease.held)
        rc = take(s, &want, err);
    if (h->lease.held) {
        rc = device_edits(&config, &h->lease.device, &h->edits, err);
        if (rc == E_OK && !book_begin(a->cards.book, &h->lease, want.memory_mb))
            rc = err_set(err, E_NO_SLOT, "the card failed before the run began");
        if (rc != E_OK)
            give_back(s);
    }
    if (h->lease.held) {
        pthread_mutex_lock(&s->mutex);
        h->used = true;
        pthread_mutex_unlock(&s->mutex);
        log_info("card_leased", "slot=%u uuid=%s", s->index, h->lease.device.uuid);
    }
    /* What runs on both runs on the CPU when there is no card. */
    return rc != E_OK && (source->environments & ENV_CPU) ? E_OK : rc;
}

unsigned cards_environment(const struct slot *s)
{
    return s->card.edits ? s->card.lease.device.environment : ENV_CPU;
}

void cards_after_run(struct slot *s, bool stuck)
{
    if (s->card.used)
        look_now(&s->agent->cards);
    if (s->card.used && stuck)
        book_fail(s->agent->cards.book, &s->card.lease, "stuck",
                  "the container that had it did not end: something hangs in the driver");
}

void cards_end(struct slot *s)
{
    if (s->card.lease.held)
        give_back(s);
}
