/* SPDX-License-Identifier: MIT */
#include "workers/agent/metrics.h"

#include <stdio.h>

/* One family of one sample. */
static enum err_code sample(struct buf *out, const char *name, const char *type, const char *help,
                            unsigned long long value, struct err *err)
{
    return buf_printf(out, err,
                      "# HELP ogpu_worker_%s %s\n# TYPE ogpu_worker_%s %s\nogpu_worker_%s %llu\n",
                      name, help, name, type, name, value);
}

static enum err_code runs(struct agent *a, struct buf *out, struct err *err)
{
    enum err_code rc = buf_printf(out, err,
                                  "# HELP ogpu_worker_runs_total Runs by how they ended.\n"
                                  "# TYPE ogpu_worker_runs_total counter\n");
    for (unsigned i = 0; rc == E_OK && i < BOX_END_COUNT; i++)
        rc = buf_printf(out, err, "ogpu_worker_runs_total{end=\"%s\"} %llu\n",
                        box_end_word((enum box_end)i),
                        (unsigned long long)atomic_load(&a->stats.ends[i]));
    return rc;
}

static unsigned long long busy_slots(struct agent *a)
{
    unsigned long long n = 0;
    for (unsigned i = 0; i < a->slot_count; i++) {
        pthread_mutex_lock(&a->slots[i].mutex);
        n += a->slots[i].live;
        pthread_mutex_unlock(&a->slots[i].mutex);
    }
    return n;
}

static enum err_code fill(void *ctx, struct buf *out, struct err *err)
{
    struct agent *a = ctx;
    size_t at_rest;
    int64_t held;
    const struct stats *s = &a->stats;
    struct warm_counts w = warm_count(&a->warm, &at_rest, &held);
    const struct {
        const char *name;
        const char *type;
        const char *help;
        unsigned long long value;
    } rows[] = {
        {"slots", "gauge", "Attempts that may run at once.", a->slot_count},
        {"slots_busy", "gauge", "Attempts that run now.", busy_slots(a)},
        {"draining", "gauge", "1 when no new work is taken.", atomic_load(&a->draining)},
        {"claims_taken_total", "counter", "Claims that brought a task.", atomic_load(&s->claimed)},
        {"claims_empty_total", "counter", "Claims that brought none.",
         atomic_load(&s->claims_empty)},
        {"claims_failed_total", "counter", "Claims without a good answer.",
         atomic_load(&s->claims_failed)},
        {"responses_total", "counter", "Responses that the gateway took.",
         atomic_load(&s->responded)},
        {"beaten_total", "counter", "Results that came too late.", atomic_load(&s->beaten)},
        {"failures_total", "counter", "Attempts told as failed.", atomic_load(&s->failed)},
        {"released_total", "counter", "Attempts handed back without a run.",
         atomic_load(&s->released)},
        {"leases_lost_total", "counter", "Leases that ran out under a run.",
         atomic_load(&s->leases_lost)},
        {"run_milliseconds_total", "counter", "Wall time of all runs.", atomic_load(&s->run_ms)},
        {"egress_bytes_total", "counter", "Bytes that sources moved over the network.",
         atomic_load(&s->egress_bytes)},
        {"gateway_switches_total", "counter", "Times that another gateway was turned to.",
         atomic_load(&s->gateway_switches)},
        {"proofs_passed_total", "counter", "Device proofs that passed.",
         atomic_load(&s->proofs_passed)},
        {"proofs_failed_total", "counter", "Device proofs that failed or were lost on the way.",
         atomic_load(&s->proofs_failed)},
        {"proofs_declined_total", "counter", "Device proofs that were due and not begun.",
         atomic_load(&s->proofs_declined)},
        {"warm_at_rest", "gauge", "Kept containers.", at_rest},
        {"warm_held_bytes", "gauge", "Memory of kept containers.", (unsigned long long)held},
        {"warm_hits_total", "counter", "Tasks that a kept container took.", w.hits},
        {"warm_misses_total", "counter", "Tasks that needed a fresh one.", w.misses},
        {"warm_recycled_total", "counter", "Kept containers ended by age or tasks.", w.recycled},
        {"warm_faulted_total", "counter", "Containers not kept because of a fault.", w.faulted},
        {"warm_evicted_total", "counter", "Kept containers ended for their memory.", w.evicted},
    };
    enum err_code rc = runs(a, out, err);
    for (size_t i = 0; rc == E_OK && i < ARRAY_LEN(rows); i++)
        rc = sample(out, rows[i].name, rows[i].type, rows[i].help, rows[i].value, err);
    return rc;
}

enum err_code metrics_listen(struct agent *a, int64_t port, struct err *err)
{
    char at[32];
    if (port == 0)
        return E_OK;
    snprintf(at, sizeof(at), "127.0.0.1:%lld", (long long)port);
    return metrics_http_open(&a->metrics, "OGPU_METRICS_PORT", at, err);
}

enum err_code metrics_start(struct agent *a, struct err *err)
{
    return a->metrics.fd < 0 ? E_OK : metrics_http_start(&a->metrics, fill, a, err);
}
