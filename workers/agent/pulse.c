/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "workers/agent/slot.h"
#include "workers/devices.h"

#define PROVIDER_BEAT_S 30
#define RETRY_US        1000000

static int64_t beat_interval_us(int64_t lease_s)
{
    int64_t us = lease_s * 1000000 / 3;
    return us > 200000 ? us : 200000;
}

/* What is due for this slot; false when nothing is. */
static bool due(struct slot *s, char attempt[ID_TEXT_MAX], int64_t *lease_s)
{
    int64_t now = clock_mono_us();
    pthread_mutex_lock(&s->mutex);
    bool live = s->live && atomic_load(&s->cause) == STOP_NO;
    bool lost = live && now >= s->lease_end_us;
    bool yes = live && !lost && now >= s->next_beat_us;
    memcpy(attempt, s->attempt, ID_TEXT_MAX);
    *lease_s = s->lease_s;
    pthread_mutex_unlock(&s->mutex);
    if (lost) {
        log_warn("lease_lost", "attempt=%s", attempt);
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

static bool still_same(struct slot *s, const char *attempt)
{
    pthread_mutex_lock(&s->mutex);
    bool same = s->live && strcmp(s->attempt, attempt) == 0;
    pthread_mutex_unlock(&s->mutex);
    return same;
}

static void beat(struct agent *a, struct slot *s)
{
    char attempt[ID_TEXT_MAX];
    char path[96];
    int64_t lease_s;
    struct err err;
    struct api_reply reply;
    if (!due(s, attempt, &lease_s))
        return;
    int64_t asked = clock_mono_us();
    int64_t patience = lease_s * 1000 / 4;
    snprintf(path, sizeof(path), "/v1/attempts/%s/heartbeat", attempt);
    struct api_request q = {
        .method = "POST", .path = path, .timeout_ms = patience > 5000 ? 5000 : patience};
    enum err_code rc = api_call(&a->pulse_api, &q, &reply, &err);
    if (rc == E_OK && reply.status == 200) {
        const char *reason = json_string_value(json_object_get(reply.body, "reason"));
        if (json_is_true(json_object_get(reply.body, "stop")) && still_same(s, attempt)) {
            log_info("attempt_stopped", "attempt=%s reason=%s", attempt, reason ? reason : "");
            slot_stop(s, STOP_TOLD);
        } else {
            extend(s, attempt, asked, asked + beat_interval_us(lease_s));
        }
    } else if (api_may_retry(rc, &reply)) {
        log_warn("heartbeat_failed", "attempt=%s status=%d why=%s", attempt, reply.status,
                 rc == E_OK ? reply.code : err.text);
        extend(s, attempt, 0, clock_mono_us() + RETRY_US);
    } else if (still_same(s, attempt)) {
        log_warn("attempt_gone", "attempt=%s status=%d code=%s", attempt, reply.status, reply.code);
        slot_stop(s, STOP_TOLD);
    }
    api_reply_done(&reply);
}

/* @return seconds until the next one. */
static int64_t provider_beat(struct agent *a)
{
    struct device list[DEVICES_MAX];
    char path[96];
    struct err err;
    struct api_reply reply;
    size_t n = devices_find(list, DEVICES_MAX);
    json_t *body = json_pack("{s:o, s:I}", "devices", devices_json(list, n), "slots",
                             atomic_load(&a->draining) ? (json_int_t)0 : (json_int_t)a->slot_count);
    snprintf(path, sizeof(path), "/v1/providers/%s/heartbeat", a->me.provider);
    struct api_request q = {.method = "POST", .path = path, .body = body, .timeout_ms = 5000};
    enum err_code rc = api_call(&a->pulse_api, &q, &reply, &err);
    int64_t next =
        rc == E_OK ? json_integer_value(json_object_get(reply.body, "next_heartbeat_s")) : 0;
    if (rc != E_OK || reply.status != 200)
        log_warn("provider_heartbeat_failed", "status=%d why=%s", reply.status,
                 rc == E_OK ? reply.code : err.text);
    api_reply_done(&reply);
    json_decref(body);
    return next >= 1 && next <= 3600 ? next : PROVIDER_BEAT_S;
}

static void look_for_sources(struct agent *a)
{
    struct err err;
    size_t added;
    if (sources_register(&a->sources, &a->pulse_api, &added, &err) != E_OK)
        log_warn("sources_not_read", "why=%s", err.text);
}

void *pulse_main(void *arg)
{
    struct agent *a = arg;
    const int64_t every_us = a->options->sources_s * 1000000;
    int64_t provider_at = 0;
    int64_t sources_at = clock_mono_us() + every_us;
    while (!atomic_load(&a->pulse_over)) {
        for (unsigned i = 0; i < a->slot_count; i++)
            beat(a, &a->slots[i]);
        int64_t now = clock_mono_us();
        if (now >= provider_at)
            provider_at = now + provider_beat(a) * 1000000;
        if (now >= sources_at && a->sources.count == 0 && !atomic_load(&a->draining)) {
            look_for_sources(a);
            sources_at = now + every_us;
        }
        api_sleep(100, NULL, NULL);
    }
    return NULL;
}
