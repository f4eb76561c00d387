/* SPDX-License-Identifier: MIT */
/*
 * What may wait: the provider's own heartbeat, the look for new sources, the age of kept
 * containers, the room on the disk. In a thread apart, so that a slow list never keeps a lease from
 * being extended.
 */
#include <stdio.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "workers/agent/slot.h"
#include "workers/image/evict.h"

#define PROVIDER_BEAT_S 30
#define HURRY_US        1000000 /* a card's new state is told at once, but no oftener than this */
#define OFFER_US        3000000 /* and so is a new promise */
#define DISK_US         (30 * 1000000LL)

/* @return seconds until the next one. */
static int64_t provider_beat(struct agent *a)
{
    char path[96];
    struct err err;
    struct api_reply reply;
    json_t *devices = book_json(a->cards.book);
    prover_dress(a, devices);
    json_t *body = json_pack("{s:o, s:I}", "devices", devices, "slots",
                             atomic_load(&a->draining) ? (json_int_t)0 : (json_int_t)a->slot_count);
    snprintf(path, sizeof(path), "/v1/providers/%s/heartbeat", a->me.provider);
    struct api_request q = {.method = "POST", .path = path, .body = body, .timeout_ms = 5000};
    enum err_code rc = api_call(&a->errand_api, &q, &reply, &err);
    int64_t next =
        rc == E_OK ? json_integer_value(json_object_get(reply.body, "next_heartbeat_s")) : 0;
    if (rc != E_OK || reply.status != 200)
        log_warn("provider_heartbeat_failed", "status=%d why=%s", reply.status,
                 rc == E_OK ? reply.code : err.text);
    if (rc == E_OK && reply.status == 422)
        prover_forget(a);
    if (rc == E_OK && reply.status == 200)
        prover_told(a, json_object_get(reply.body, "prove"));
    api_reply_done(&reply);
    json_decref(body);
    return next >= 1 && next <= 3600 ? next : PROVIDER_BEAT_S;
}

static void look_for_sources(struct agent *a)
{
    struct err err;
    size_t added;
    if (sources_register(&a->sources, &a->errand_api, &added, &err) != E_OK)
        log_warn("sources_not_read", "why=%s", err.text);
}

/*
 * What containers can be given here has changed: a driver came late, or its nodes went. The promise
 * follows, the provider's first: sources may ask for no more than that.
 *
 * @return whether it is told
 */
static bool tell_offer(struct agent *a, unsigned offer)
{
    struct err err;
    size_t added;
    log_info("offer_changed", "was=%u is=%u", (unsigned)a->me.environments, offer);
    a->me.environments = offer;
    a->sources.environments = offer;
    enum err_code rc = api_register_again(&a->errand_api, &err);
    if (rc == E_OK)
        rc = sources_register(&a->sources, &a->errand_api, &added, &err);
    if (rc != E_OK)
        log_warn("offer_not_told", "why=%s", err.text);
    return rc == E_OK || rc == E_CONFIG; /* what is refused would be refused again */
}

static bool over(void *ctx)
{
    struct agent *a = ctx;
    return atomic_load(&a->over);
}

void *errands_main(void *arg)
{
    struct agent *a = arg;
    const int64_t every_us = a->options->sources_s * 1000000;
    int64_t provider_at = 0;
    int64_t hurry_at = 0;
    int64_t disk_at = 0;
    int64_t sources_at = clock_mono_us() + every_us;
    int64_t offer_at = 0;
    unsigned told = 0;
    bool offer_told = true;
    while (!atomic_load(&a->over)) {
        int64_t now = clock_mono_us();
        unsigned changes = book_changes(a->cards.book);
        if (now >= provider_at || (changes != told && now >= hurry_at)) {
            told = changes;
            hurry_at = now + HURRY_US;
            provider_at = now + provider_beat(a) * 1000000;
        }
        unsigned offer = a->cards.offer;
        if (now >= offer_at && (!offer_told || offer != a->me.environments) &&
            !atomic_load(&a->draining)) {
            offer_told = tell_offer(a, offer);
            offer_at = clock_mono_us() + OFFER_US;
        }
        if (now >= sources_at && sources_change(&a->sources) && !atomic_load(&a->draining)) {
            look_for_sources(a);
            sources_at = clock_mono_us() + every_us;
        }
        if (now >= disk_at) {
            evict_if_short(&a->shop.images, "");
            disk_at = now + DISK_US;
        }
        warm_tidy(&a->warm);
        api_sleep(200, over, a);
    }
    return NULL;
}
