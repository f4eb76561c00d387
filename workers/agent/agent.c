/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/manifest.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "workers/agent/metrics.h"
#include "workers/agent/notify.h"
#include "workers/agent/slot.h"
#include "workers/commands.h"

/* After the time that a drain gives, until all is handed back, ended and left. */
#define LEAVE_S 30

static sigset_t end_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    return set;
}

/* Whether one of them came within this time. All threads block them; only main takes them. */
static bool told_to_end(int64_t ms)
{
    sigset_t set = end_signals();
    struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
    return sigtimedwait(&set, NULL, &t) > 0;
}

/* Register, and put registrations; again and again while the gateway is away. @return E_CONFIG for
 * good. */
static enum err_code enter(struct agent *a, struct err *err)
{
    bool registered = false;
    for (unsigned n = 0;; n++) {
        size_t added = 0;
        enum err_code rc = registered ? E_OK : api_register(&a->pulse_api, err);
        if (rc == E_OK) {
            if (!registered)
                log_info("registered", "provider=%s", a->me.provider);
            registered = true;
            rc = sources_register(&a->sources, &a->pulse_api, &added, err);
        }
        if (rc == E_OK || rc == E_CONFIG)
            return rc;
        int64_t wait = api_backoff_ms(n);
        log_warn("gateway_away", "why=%s wait_ms=%lld", err->text, (long long)wait);
        if (told_to_end(wait))
            return err_set(err, E_DRAINING, "told to end before the gateway answered");
    }
}

static void stop_all(struct agent *a)
{
    for (unsigned i = 0; i < a->slot_count; i++)
        slot_stop(&a->slots[i], STOP_DRAIN);
}

/* No new claims; running work gets its time; then it is handed back. A second signal shortens the
 * time. */
static void drain(struct agent *a)
{
    int64_t end = clock_mono_us() + a->options->drain_s * 1000000;
    bool told = notify_end_takes(a->options->drain_s + LEAVE_S);
    log_info("draining", "seconds=%lld manager_told=%d", (long long)a->options->drain_s, told);
    atomic_store(&a->draining, true);
    for (;;) {
        bool busy = false;
        for (unsigned i = 0; i < a->slot_count; i++) {
            pthread_mutex_lock(&a->slots[i].mutex);
            busy = busy || a->slots[i].live;
            pthread_mutex_unlock(&a->slots[i].mutex);
        }
        if (!busy || clock_mono_us() >= end || told_to_end(50))
            break;
    }
    stop_all(a);
    for (unsigned i = 0; i < a->slot_count; i++)
        pthread_join(a->slots[i].thread, NULL);
    atomic_store(&a->over, true);
    cards_wake(&a->cards);
    pthread_join(a->prover.thread, NULL);
    pthread_join(a->pulse, NULL);
    pthread_join(a->errands, NULL);
    pthread_join(a->cards.thread, NULL);
}

static enum err_code start(struct agent *a, struct err *err)
{
    enum err_code rc = E_OK;
    for (unsigned i = 0; rc == E_OK && i < (unsigned)a->options->slots; i++) {
        rc = slot_open(&a->slots[i], a, i, err);
        if (rc == E_OK)
            a->slot_count++;
    }
    if (rc == E_OK)
        rc = metrics_start(a, err);
    if (rc != E_OK)
        return rc;
    if (pthread_create(&a->pulse, NULL, pulse_main, a) != 0 ||
        pthread_create(&a->errands, NULL, errands_main, a) != 0 ||
        pthread_create(&a->cards.thread, NULL, cards_main, a) != 0 ||
        pthread_create(&a->prover.thread, NULL, prover_main, a) != 0)
        return err_set(err, E_INTERNAL, "no thread: %s", strerror(errno));
    for (unsigned i = 0; i < a->slot_count; i++) {
        if (pthread_create(&a->slots[i].thread, NULL, slot_main, &a->slots[i]) != 0)
            return err_set(err, E_INTERNAL, "no thread: %s", strerror(errno));
    }
    return E_OK;
}

static enum err_code work(struct agent *a, struct err *err)
{
    enum err_code rc = enter(a, err);
    if (rc == E_OK)
        rc = start(a, err);
    if (rc != E_OK)
        return rc == E_DRAINING ? E_OK : rc;
    log_info("working", "slots=%u sources=%zu", a->slot_count, a->sources.known_count);
    while (!told_to_end(1000000))
        ;
    drain(a);
    log_info("ended", NULL);
    return E_OK;
}

static enum err_code prepare(struct agent *a, const struct options *o, struct err *err)
{
    struct workshop_config c = {o->work_dir,    o->runtime,  o->uid_base, o->image_mb,
                                o->image_files, o->cache_mb, o->free_mb,  o->pull_s};
    struct sources_config sources = {o->sources, o->sources_if, o->kwh_price, o->watts, o->slots};
    a->options = o;
    earnings_open(&a->earnings, o->work_dir);
    a->shop.lock = -1;
    enum err_code rc = identity_open(&a->me, o, ENV_CPU, err);
    if (rc == E_OK)
        rc = sources_open(&a->sources, &sources, &a->earnings, err);
    if (rc == E_OK)
        rc = egress_terms_read(o, &a->sources.egress, err);
    if (rc == E_OK)
        rc = workshop_open(&a->shop, &c, err);
    if (rc == E_OK)
        rc = cards_open(a, o, err);
    /* What is promised is what a container can be given. */
    if (rc == E_OK)
        a->sources.environments = a->me.environments = cards_offer(a, true);
    struct warm_config warm = {o->warm_mb << 20, o->warm_tasks, o->warm_minutes * 60000000};
    warm_open(&a->warm, &warm);
    return rc;
}

static void leave(struct agent *a)
{
    metrics_http_close(&a->metrics); /* first: it looks at what follows */
    for (unsigned i = 0; i < a->slot_count; i++)
        slot_close(&a->slots[i]);
    if (a->options) {
        warm_close(&a->warm);
        cards_close(&a->cards);
        workshop_close(&a->shop);
        sources_close(&a->sources);
        earnings_close(&a->earnings);
        identity_close(&a->me);
    }
}

int command_agent(int argc, char **argv)
{
    static struct agent a = {.metrics = {.fd = -1}};
    struct options o = {0};
    struct err err = {0};
    sigset_t set = end_signals();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    enum err_code rc = options_load(options_agent, options_agent_count, argc, argv, &o, &err);
    if (rc == E_OK)
        rc = gateways_read(o.url, &a.gateways, &err);
    if (rc == E_OK)
        rc = metrics_listen(&a, o.metrics_port, &err);
    if (rc == E_OK)
        rc = prepare(&a, &o, &err);
    if (rc == E_OK) {
        api_open(&a.pulse_api, &a.gateways, &a.me, &a.stats);
        api_open(&a.errand_api, &a.gateways, &a.me, &a.stats);
        prover_open(&a);
        rc = work(&a, &err);
        api_close(&a.pulse_api);
        api_close(&a.errand_api);
        prover_close(&a);
    }
    leave(&a);
    if (rc != E_OK)
        fprintf(stderr, "ogpu-worker: %s\n", err.text);
    return rc == E_OK ? 0 : 1;
}
