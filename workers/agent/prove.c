/* SPDX-License-Identifier: MIT */
#include "workers/agent/prove.h"

#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "workers/agent/rates.h"
#include "workers/agent/slot.h"

#define TICK_MS  200
#define SOON_US  (10 * 1000000LL) /* a challenge in hand may still be answered */
#define LATER_US (600 * 1000000LL)
#define HOUR_US  (3600 * 1000000LL)
#define HOLDER   ((unsigned)SLOTS_MAX) /* no slot: the alarm finds nobody, the job looks itself */

/* What is wanted of a card now. */
struct wish {
    bool proof;
    bool rates;
    bool twin;
};

/* With the mutex held. @return NULL when there are too many */
static struct prover_row *row_of(struct prover *p, const char *uuid)
{
    for (size_t i = 0; i < p->n; i++) {
        if (strcmp(p->row[i].uuid, uuid) == 0)
            return &p->row[i];
    }
    if (p->n == DEVICES_MAX || strlen(uuid) >= DEVICE_UUID_MAX)
        return NULL;
    p->row[p->n] = (struct prover_row){.due = false};
    snprintf(p->row[p->n].uuid, DEVICE_UUID_MAX, "%s", uuid);
    return &p->row[p->n++];
}

void prover_open(struct agent *a)
{
    struct prover *p = &a->prover;
    const struct kernels *k;
    struct err err;
    pthread_mutex_init(&p->mutex, NULL);
    api_open(&p->api, &a->gateways, &a->me, &a->stats);
    p->simulated_too = a->options->kernels[0] != '\0';
    p->library = kernels_cuda(a->options->kernels, &k, &err) == E_OK;
    if (!p->library)
        snprintf(p->why_no_library, sizeof(p->why_no_library), "%.199s", err.text);
    /* A place for each card before the first heartbeat's answer tells which are due. */
    struct device_list cards;
    book_cards(a->cards.book, &cards);
    for (size_t i = 0; i < cards.n; i++)
        (void)row_of(p, cards.row[i].uuid);
}

void prover_close(struct agent *a)
{
    struct prover *p = &a->prover;
    for (size_t i = 0; i < p->n; i++)
        json_decref(p->row[i].rates);
    api_close(&p->api);
    pthread_mutex_destroy(&p->mutex);
}

static bool lists(const json_t *list, const char *uuid)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *s = json_string_value(json_array_get(list, i));
        if (s && strcmp(s, uuid) == 0)
            return true;
    }
    return false;
}

void prover_told(struct agent *a, const json_t *list)
{
    struct prover *p = &a->prover;
    pthread_mutex_lock(&p->mutex);
    for (size_t i = 0; i < p->n; i++) {
        p->row[i].due = lists(list, p->row[i].uuid);
        if (!p->row[i].due)
            p->row[i].why_not[0] = '\0';
    }
    pthread_mutex_unlock(&p->mutex);
}

void prover_dress(struct agent *a, json_t *devices)
{
    struct prover *p = &a->prover;
    json_t *d;
    size_t i;
    pthread_mutex_lock(&p->mutex);
    json_array_foreach(devices, i, d)
    {
        const char *uuid = json_string_value(json_object_get(d, "uuid"));
        const struct prover_row *r = uuid ? row_of(p, uuid) : NULL;
        if (r && r->rates)
            json_object_set(d, "benchmarks", r->rates);
    }
    pthread_mutex_unlock(&p->mutex);
}

void prover_forget(struct agent *a)
{
    struct prover *p = &a->prover;
    pthread_mutex_lock(&p->mutex);
    for (size_t i = 0; i < p->n; i++) {
        if (p->row[i].rates) {
            json_decref(p->row[i].rates);
            p->row[i].rates = NULL;
            p->row[i].measure_at_us = clock_mono_us() + HOUR_US;
            log_warn("rates_withdrawn", "uuid=%s", p->row[i].uuid);
        }
    }
    pthread_mutex_unlock(&p->mutex);
}

/* ---- what is wanted ---- */

static void decline(struct agent *a, const char *uuid, const char *why)
{
    pthread_mutex_lock(&a->prover.mutex);
    struct prover_row *r = row_of(&a->prover, uuid);
    bool again = !r || strncmp(r->why_not, why, sizeof(r->why_not) - 1) == 0;
    if (!again)
        snprintf(r->why_not, sizeof(r->why_not), "%s", why);
    pthread_mutex_unlock(&a->prover.mutex);
    if (again)
        return;
    atomic_fetch_add(&a->stats.proofs_declined, 1);
    log_warn("proof_declined", "uuid=%s why=%s", uuid, why);
}

/* What computes for it. @return false: nothing does, with the reason */
static bool can_compute(const struct prover *p, const struct device *d, bool *twin, struct err *err)
{
    *twin = d->simulated && !p->simulated_too;
    if (*twin)
        return prove_fits_twin(d->memory_mb, err) == E_OK;
    if (d->environment != ENV_NVIDIA)
        (void)err_set(err, E_NO_SLOT, "there are no kernels for this kind of card");
    else if (!p->library)
        (void)err_set(err, E_NO_SLOT, "%s", p->why_no_library);
    else
        return true;
    return false;
}

static struct wish wish_of(struct agent *a, const struct device *d)
{
    struct prover *p = &a->prover;
    struct wish w = {.proof = false};
    struct err err;
    int64_t now = clock_mono_us();
    bool able = can_compute(p, d, &w.twin, &err);
    pthread_mutex_lock(&p->mutex);
    const struct prover_row *r = row_of(p, d->uuid);
    w.proof = r && r->due && now >= r->prove_at_us;
    w.rates = r && able && !w.twin && now >= r->measure_at_us;
    pthread_mutex_unlock(&p->mutex);
    if (w.proof && !able) {
        decline(a, d->uuid, err.text);
        w.proof = false;
    }
    return w;
}

/* ---- doing it ---- */

static bool told_to_end(void *ctx)
{
    const struct prove_job *j = ctx;
    return atomic_load(&j->agent->draining) || !book_is_sound(j->agent->cards.book, &j->lease);
}

static void measure(struct prove_job *j)
{
    struct agent *a = j->agent;
    const char *uuid = j->lease.device.uuid;
    struct kernels_rates rates;
    json_t *v = NULL;
    struct err err;
    enum err_code rc = helper_bench(&j->helper, &rates, &err);
    int64_t next_us = rc == E_DRAINING ? HOUR_US : 24 * HOUR_US;
    if (rc == E_OK) {
        rc = rates_json(&a->me, uuid, &rates, clock_wall_us() / 1000000, &v, &err);
        if (rc == E_PEER)
            next_us = LATER_US; /* the card is well: it is the signer that was away */
    }
    if (rc == E_OK)
        log_info("card_measured", "uuid=%s int8_tops=%.0f fp16_tflops=%.0f copy_gb_s=%.0f", uuid,
                 rates.int8_tops, rates.fp16_tflops, rates.copy_gb_s);
    else if (rc != E_DRAINING)
        log_warn("card_not_measured", "uuid=%s why=%s", uuid, err.text);
    pthread_mutex_lock(&a->prover.mutex);
    struct prover_row *r = row_of(&a->prover, uuid);
    r->measure_at_us = clock_mono_us() + next_us;
    if (v) {
        json_decref(r->rates);
        r->rates = v;
    }
    pthread_mutex_unlock(&a->prover.mutex);
}

/* What was opened is not due until the gateway says so again. */
static void put_off(struct agent *a, const char *uuid, bool opened, int64_t until_us)
{
    pthread_mutex_lock(&a->prover.mutex);
    struct prover_row *r = row_of(&a->prover, uuid);
    r->due = r->due && !opened;
    r->prove_at_us = opened ? 0 : until_us;
    pthread_mutex_unlock(&a->prover.mutex);
}

static void prove(struct prove_job *j)
{
    const char *uuid = j->lease.device.uuid;
    struct err err;
    j->again_us = clock_mono_us() + LATER_US;
    enum err_code rc = prove_answer(j, &err);
    if (rc == E_NO_SLOT) {
        decline(j->agent, uuid, err.text);
    } else if (rc == E_QUOTA) {
        log_info("proof_put_off", "uuid=%s why=%s", uuid, err.text);
    } else if (rc == E_DRAINING && (!j->asked || atomic_load(&j->agent->draining))) {
        log_info("proof_left", "uuid=%s why=%s", uuid, err.text);
    } else if (rc != E_OK) {
        j->again_us = clock_mono_us() + SOON_US;
        atomic_fetch_add(&j->agent->stats.proofs_failed, 1);
        log_error("proof_failed", "uuid=%s why=%s", uuid,
                  rc == E_DRAINING ? "the card failed in the middle" : err.text);
    }
    put_off(j->agent, uuid, rc == E_OK, j->again_us);
}

/* The process could not be had: nothing was asked for, nothing is lost. */
static void unready(struct prove_job *j, const struct wish *w, const struct err *err)
{
    struct agent *a = j->agent;
    const char *uuid = j->lease.device.uuid;
    if (err->code == E_DRAINING)
        return;
    if (w->proof)
        decline(a, uuid, err->text);
    if (w->rates)
        log_warn("card_not_measured", "uuid=%s why=%s", uuid, err->text);
    pthread_mutex_lock(&a->prover.mutex);
    struct prover_row *r = row_of(&a->prover, uuid);
    if (w->proof)
        r->prove_at_us = clock_mono_us() + HOUR_US;
    if (w->rates)
        r->measure_at_us = clock_mono_us() + HOUR_US;
    pthread_mutex_unlock(&a->prover.mutex);
}

/* @return whether the card was had */
static bool attend(struct agent *a, const struct device *d, const struct wish *w)
{
    struct device_want want = {.environments = ENV_NVIDIA | ENV_AMD, .uuid = d->uuid};
    struct prove_job j = {.agent = a, .api = &a->prover.api, .twin = w->twin};
    struct err err;
    if (book_lease(a->cards.book, &want, HOLDER, &j.lease, &err) != E_OK)
        return false;
    book_call(a->cards.book, d->uuid, false);
    j.helper.stop = told_to_end;
    j.helper.ctx = &j;
    j.helper.library = a->options->kernels;
    enum err_code rc = E_DRAINING;
    if (book_begin(a->cards.book, &j.lease, 0))
        rc = helper_start(&j.helper, w->twin ? HELPER_TWIN : HELPER_CUDA, d->uuid, &j.ops_per_s,
                          &err);
    else
        (void)err_set(&err, rc, "the card failed");
    if (rc != E_OK)
        unready(&j, w, &err);
    if (rc == E_OK && w->rates)
        measure(&j);
    if (rc == E_OK && w->proof)
        prove(&j);
    helper_end(&j.helper);
    book_return(a->cards.book, &j.lease, !w->twin);
    if (j.challenge[0])
        prove_verdict(&j);
    return true;
}

static bool draining(void *ctx)
{
    struct agent *a = ctx;
    return atomic_load(&a->draining);
}

void *prover_main(void *arg)
{
    struct agent *a = arg;
    struct device_list cards;
    while (!atomic_load(&a->draining)) {
        book_cards(a->cards.book, &cards);
        for (size_t i = 0; i < cards.n && !atomic_load(&a->draining); i++) {
            struct wish w = wish_of(a, &cards.row[i]);
            bool wanted = w.proof || w.rates;
            book_call(a->cards.book, cards.row[i].uuid, wanted);
            if (wanted)
                (void)attend(a, &cards.row[i], &w);
        }
        api_sleep(TICK_MS, draining, a);
    }
    return NULL;
}
