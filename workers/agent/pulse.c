/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "workers/agent/slot.h"

#define RETRY_US   1000000
#define PULLING_US 2000000

/* A heartbeat that is due. */
struct beat {
    char attempt[ID_TEXT_MAX];
    int64_t lease_s;
    struct slot_progress progress;
};

/* Somebody may watch an image come in; otherwise the lease is all that counts. */
static int64_t beat_interval_us(const struct beat *b)
{
    int64_t us = b->lease_s * 1000000 / 3;
    if (b->progress.phase && strcmp(b->progress.phase, "pulling") == 0 && us > PULLING_US)
        us = PULLING_US;
    return us > 200000 ? us : 200000;
}

/* A worker that ends, or whose card failed, has that to say yet, and its container may take long to
 * end: until then the attempt is its own. */
static bool holds(enum stop_cause cause)
{
    return cause == STOP_NO || cause == STOP_CARD || cause == STOP_DRAIN;
}

/* What is due for this slot; false when nothing is. */
static bool due(struct slot *s, struct beat *b)
{
    int64_t now = clock_mono_us();
    pthread_mutex_lock(&s->mutex);
    enum stop_cause cause = atomic_load(&s->cause);
    bool live = s->live && holds(cause);
    bool lost = live && cause == STOP_NO && now >= s->lease_end_us;
    bool yes = live && now < s->lease_end_us && now >= s->next_beat_us;
    memcpy(b->attempt, s->attempt, ID_TEXT_MAX);
    b->lease_s = s->lease_s;
    b->progress = s->progress;
    pthread_mutex_unlock(&s->mutex);
    if (lost) {
        log_warn("lease_lost", "attempt=%s", b->attempt);
        atomic_fetch_add(&s->agent->stats.leases_lost, 1);
        slot_stop(s, STOP_LEASE);
    }
    return yes;
}

/* The lease now ends lease_s after we asked: never later than the gateway's own reckoning. */
static void extend(struct slot *s, const char *attempt, int64_t asked_us, int64_t next_us)
{
    pthread_mutex_lock(&s->mutex);
    if (s->live && strcmp(s->attempt, attempt) == 0) {
        if (asked_us > 0)
            s->lease_end_us = asked_us + s->lease_s * 1000000;
        s->next_beat_us = next_us;
    }
    pthread_mutex_unlock(&s->mutex);
}

/* The gateway has ended it: nothing more is said of it. */
static void told_to_stop(struct slot *s, const char *attempt)
{
    slot_stop(s, STOP_TOLD);
    extend(s, attempt, 0, INT64_MAX);
}

static bool still_same(struct slot *s, const char *attempt)
{
    pthread_mutex_lock(&s->mutex);
    bool same = s->live && strcmp(s->attempt, attempt) == 0;
    pthread_mutex_unlock(&s->mutex);
    return same;
}

/* NULL when there is nothing to say. */
static json_t *body_of(const struct slot_progress *p)
{
    if (!p->phase)
        return NULL;
    json_t *body = json_pack("{s:s}", "phase", p->phase);
    if (strcmp(p->phase, "pulling") == 0)
        json_object_set_new(body, "pulled_bytes", json_integer(p->pulled));
    if (p->of > 0)
        json_object_set_new(body, "image_bytes", json_integer(p->of));
    return body;
}

static void beat(struct agent *a, struct slot *s)
{
    char path[96];
    struct beat b;
    struct err err;
    struct api_reply reply;
    if (!due(s, &b))
        return;
    const char *attempt = b.attempt;
    int64_t asked = clock_mono_us();
    int64_t patience = b.lease_s * 1000 / 4;
    snprintf(path, sizeof(path), "/v1/attempts/%s/heartbeat", attempt);
    struct api_request q = {.method = "POST",
                            .path = path,
                            .body = body_of(&b.progress),
                            .timeout_ms = patience > 5000 ? 5000 : patience};
    enum err_code rc = api_call(&a->pulse_api, &q, &reply, &err);
    json_decref(q.body);
    if (rc == E_OK && reply.status == 200) {
        const char *reason = json_string_value(json_object_get(reply.body, "reason"));
        if (json_is_true(json_object_get(reply.body, "stop")) && still_same(s, attempt)) {
            log_info("attempt_stopped", "attempt=%s reason=%s", attempt, reason ? reason : "");
            told_to_stop(s, attempt);
        } else {
            extend(s, attempt, asked, asked + beat_interval_us(&b));
        }
    } else if (api_may_retry(rc, &reply)) {
        log_warn("heartbeat_failed", "attempt=%s status=%d why=%s", attempt, reply.status,
                 rc == E_OK ? reply.code : err.text);
        extend(s, attempt, 0, clock_mono_us() + RETRY_US);
    } else if (still_same(s, attempt)) {
        log_warn("attempt_gone", "attempt=%s status=%d code=%s", attempt, reply.status, reply.code);
        told_to_stop(s, attempt);
    }
    api_reply_done(&reply);
}

void *pulse_main(void *arg)
{
    struct agent *a = arg;
    while (!atomic_load(&a->over)) {
        for (unsigned i = 0; i < a->slot_count; i++)
            beat(a, &a->slots[i]);
        api_sleep(100, NULL, NULL);
    }
    return NULL;
}
