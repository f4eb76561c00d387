/* SPDX-License-Identifier: MIT */
#include "workers/agent/slot.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/log.h"

#define CLAIM_WAIT_S  25
#define CLAIM_REF_MAX 37
/* What earns most is asked for alone first, but not for long: the rest is better than nothing. */
#define TOP_WAIT_S        3
#define NOTHING_WANTED_MS 1000

enum err_code slot_open(struct slot *s, struct agent *agent, unsigned index, struct err *err)
{
    memset(s, 0, sizeof(*s));
    s->agent = agent;
    s->index = index;
    s->top_next = true;
    pthread_mutex_init(&s->mutex, NULL);
    s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->stop_fd < 0)
        return err_set(err, E_IO, "no eventfd: %s", strerror(errno));
    api_open(&s->api, &agent->gateways, &agent->me, &agent->stats);
    return E_OK;
}

void slot_close(struct slot *s)
{
    api_close(&s->api);
    close(s->stop_fd);
    pthread_mutex_destroy(&s->mutex);
}

void slot_stop(struct slot *s, enum stop_cause cause)
{
    enum stop_cause none = STOP_NO;
    uint64_t one = 1;
    if (atomic_compare_exchange_strong(&s->cause, &none, cause) &&
        write(s->stop_fd, &one, sizeof(one)) < 0)
        log_warn("stop_not_signalled", "slot=%u", s->index);
}

void slot_card_failed(void *ctx, unsigned slot, const char *code, const char *text)
{
    struct agent *a = ctx;
    if (slot >= a->slot_count)
        return;
    struct slot *s = &a->slots[slot];
    pthread_mutex_lock(&s->mutex);
    bool live = s->live && s->card.used;
    if (live && !s->card.code[0]) {
        snprintf(s->card.code, sizeof(s->card.code), "%s", code);
        snprintf(s->card.text, sizeof(s->card.text), "%s", text);
    }
    pthread_mutex_unlock(&s->mutex);
    log_warn("card_failed", "slot=%u live=%d code=%s why=%s", slot, live, code, text);
    if (live)
        slot_stop(s, STOP_CARD);
}

bool slot_stopped(void *ctx)
{
    struct slot *s = ctx;
    return atomic_load(&s->cause) != STOP_NO;
}

void slot_begin(struct slot *s, const char *attempt, int64_t lease_s)
{
    uint64_t old;
    /*
     * The gateway opened the attempt just before it answered, so its lease began a moment ago; when
     * the claim was asked says nothing, it may have waited long. The first heartbeat makes the
     * reckoning exact.
     */
    int64_t now = clock_mono_us();
    pthread_mutex_lock(&s->mutex);
    while (read(s->stop_fd, &old, sizeof(old)) > 0)
        ;
    atomic_store(&s->cause, STOP_NO);
    snprintf(s->attempt, sizeof(s->attempt), "%s", attempt);
    s->lease_s = lease_s;
    s->lease_end_us = now + lease_s * 1000000;
    s->next_beat_us = now + lease_s * 1000000 / 3;
    s->progress = (struct slot_progress){0};
    s->live = true;
    pthread_mutex_unlock(&s->mutex);
}

void slot_end(struct slot *s)
{
    pthread_mutex_lock(&s->mutex);
    s->live = false;
    pthread_mutex_unlock(&s->mutex);
}

void slot_pulling(void *ctx, int64_t fetched, int64_t of)
{
    struct slot *s = ctx;
    pthread_mutex_lock(&s->mutex);
    if (!s->progress.phase)
        s->next_beat_us = clock_mono_us(); /* who waits for the task learns at once why */
    s->progress = (struct slot_progress){"pulling", fetched, of};
    pthread_mutex_unlock(&s->mutex);
}

void slot_running(struct slot *s)
{
    pthread_mutex_lock(&s->mutex);
    if (s->progress.phase)
        s->next_beat_us = clock_mono_us(); /* no more pulling; without that the next beat will do */
    s->progress = (struct slot_progress){.phase = "running"};
    pthread_mutex_unlock(&s->mutex);
}

int64_t slot_lease_end(struct slot *s)
{
    pthread_mutex_lock(&s->mutex);
    int64_t end = s->lease_end_us;
    pthread_mutex_unlock(&s->mutex);
    return end;
}

/* ---- claiming ---- */

static bool is_draining(void *ctx)
{
    struct slot *s = ctx;
    return atomic_load(&s->agent->draining);
}

/* A random UUID (RFC 9562, version 4). */
static void new_claim_ref(char out[CLAIM_REF_MAX])
{
    uint8_t b[16];
    random_bytes(b, sizeof(b));
    b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
    snprintf(out, CLAIM_REF_MAX,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
}

static enum err_code claim(struct slot *s, const char *ref, int wait_s, struct api_reply *reply,
                           struct err *err)
{
    char path[48];
    bool none;
    bool top = wait_s > 0 && s->top_next && sources_have_top(&s->agent->sources);
    json_t *sources = sources_claim(&s->agent->sources, top, &none);
    if (wait_s > 0)
        sources = cards_claim(s, sources, &none);
    if (none && wait_s > 0) {
        /* Without a list every registration would count, those of other days too. */
        json_decref(sources);
        *reply = (struct api_reply){.status = 204};
        api_sleep(NOTHING_WANTED_MS, is_draining, s);
        return E_OK;
    }
    json_t *body = json_pack("{s:s}", "claim_ref", ref);
    if (sources)
        json_object_set_new(body, "sources", sources);
    s->top_next = !top;
    /* Who waits for a card looks again soon whether one is free. */
    if (top || (wait_s > 0 && cards_wanted(s)))
        wait_s = TOP_WAIT_S;
    snprintf(path, sizeof(path), "/v1/claims?wait=%d", wait_s);
    struct api_request q = {
        .method = "POST", .path = path, .body = body, .timeout_ms = (wait_s + 10) * 1000};
    if (wait_s > 0) {
        q.stop = is_draining;
        q.stop_ctx = s;
    }
    enum err_code rc = api_call(&s->api, &q, reply, err);
    json_decref(body);
    return rc;
}

/* The gateway may have opened an attempt for a claim whose answer we did not wait for: ask, and
 * give it back. */
static void settle_last_claim(struct slot *s, const char *ref)
{
    struct err err;
    struct api_reply reply;
    if (claim(s, ref, 0, &reply, &err) == E_OK && reply.status == 200)
        attempt_hand_back(s, reply.body);
    api_reply_done(&reply);
}

/*
 * Deal with a claim's answer.
 *
 * @failures  grows when this machine or the gateway could do nothing with it, becomes 0 otherwise
 * @return    whether the claim's outcome is known, so that the next one needs a new reference
 */
static bool settled(struct slot *s, enum err_code rc, const struct api_reply *reply,
                    unsigned *failures, const struct err *err)
{
    bool good = rc == E_OK && (reply->status == 200 || reply->status == 204);
    bool known = rc == E_OK && !api_may_retry(rc, reply);
    struct stats *stats = &s->agent->stats;
    atomic_fetch_add(!good                  ? &stats->claims_failed
                     : reply->status == 200 ? &stats->claimed
                                            : &stats->claims_empty,
                     1);
    if (!good) {
        log_warn("claim_failed", "slot=%u status=%d why=%s", s->index, reply->status,
                 rc == E_OK ? reply->code : err->text);
    } else if (reply->status == 200 && atomic_load(&s->agent->draining)) {
        attempt_hand_back(s, reply->body);
    } else if (reply->status == 200) {
        /* What is handed back may be offered to us again at once. */
        good = attempt_serve(s, reply->body);
    }
    *failures = good ? 0 : *failures + 1;
    return known;
}

void *slot_main(void *arg)
{
    struct slot *s = arg;
    char ref[CLAIM_REF_MAX];
    unsigned failures = 0;
    bool known = true;
    while (!atomic_load(&s->agent->draining)) {
        struct err err = {0};
        struct api_reply reply;
        if (known)
            new_claim_ref(ref);
        enum err_code rc = claim(s, ref, CLAIM_WAIT_S, &reply, &err);
        known = false;
        if (atomic_load(&s->agent->draining) && rc != E_OK) {
            api_reply_done(&reply);
            break;
        }
        known = settled(s, rc, &reply, &failures, &err);
        int64_t wait = failures ? api_backoff_ms(failures - 1) : 0;
        if (api_asked_ms(&reply) > wait)
            wait = api_asked_ms(&reply);
        api_reply_done(&reply);
        api_sleep(wait, is_draining, s);
    }
    if (!known)
        settle_last_claim(s, ref);
    cards_end(s);
    return NULL;
}
