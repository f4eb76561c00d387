/* SPDX-License-Identifier: MIT */
#include "core/reputation.h"

#include <stdlib.h>

#include "eth/logtree.h"

#define INERTIA  32
#define EXPIRED  2
#define REJECTED 4

/* A batch holds thousands; this only keeps the arithmetic within 64 bits whatever it is given. */
static uint64_t bounded(uint64_t n)
{
    return n < (1ULL << 32) ? n : 1ULL << 32;
}

uint32_t reputation_score(uint32_t before, const struct score_counts *counts)
{
    uint64_t accepted = bounded(counts->accepted);
    uint64_t held = before < SCORE_MAX ? before : SCORE_MAX;
    uint64_t weight = INERTIA + accepted + EXPIRED * bounded(counts->expired) +
                      REJECTED * bounded(counts->rejected);

    return (uint32_t)((INERTIA * held + SCORE_MAX * accepted) / weight);
}

struct event reputation_event(const struct work *w, const struct eip712_domain *domain,
                              uint64_t epoch)
{
    struct event e = {.kind = w->kind,
                      .epoch = epoch,
                      .task = w->signed_as.task,
                      .attempt = w->signed_as.attempt,
                      .provider = w->signed_as.provider,
                      .payee = w->payee,
                      .at_us = (uint64_t)w->at_us};

    if (w->responded)
        e.response = eip712_response_digest(domain, &w->signed_as);
    wei_to_be(w->amount, e.amount);
    return e;
}

static int by_time(const struct event *a, const struct event *b)
{
    if (a->at_us != b->at_us)
        return a->at_us < b->at_us ? -1 : 1;
    return memcmp(a->attempt.b, b->attempt.b, sizeof(a->attempt.b));
}

static int log_order(const void *a, const void *b)
{
    const struct scored_event *x = a;
    const struct scored_event *y = b;

    return by_time(&x->event, &y->event);
}

static int provider_order(const void *a, const void *b)
{
    const struct scored_event *x = a;
    const struct scored_event *y = b;
    int order = memcmp(x->event.provider.b, y->event.provider.b, sizeof(x->event.provider.b));

    return order != 0 ? order : by_time(&x->event, &y->event);
}

static void count(enum event_kind kind, struct score_counts *c)
{
    c->accepted += kind == EVENT_ACCEPTED;
    c->rejected += kind == EVENT_REJECTED;
    c->expired += kind == EVENT_EXPIRED;
}

/* The leaf of the provider whose n events these are. */
static struct score_leaf leaf_of(const struct scored_event *events, size_t n,
                                 score_formula *formula, struct arena *a)
{
    struct digest *hashes = arena_alloc(a, n * sizeof(*hashes));
    struct score_counts c = {0};

    for (size_t i = 0; i < n; i++) {
        hashes[i] = event_leaf(&events[i].event);
        count(events[i].event.kind, &c);
    }
    return (struct score_leaf){.provider = events->event.provider,
                               .accepted = c.accepted,
                               .rejected = c.rejected,
                               .expired = c.expired,
                               .score = formula(events->before, &c),
                               .epoch = events->event.epoch,
                               .events_root = logtree_root(hashes, n)};
}

static bool same_provider(const struct scored_event *a, const struct scored_event *b)
{
    return memcmp(&a->event.provider, &b->event.provider, sizeof(a->event.provider)) == 0;
}

void reputation_close(struct scored_event *events, size_t n, score_formula *formula,
                      struct arena *a, struct epoch_close *out)
{
    struct epoch_close c = {.n_scores = 0};

    c.scores = arena_alloc(a, (n + 1) * sizeof(*c.scores));
    c.log = arena_alloc(a, (n + 1) * sizeof(*c.log));
    if (n > 0)
        qsort(events, n, sizeof(*events), log_order);
    for (size_t i = 0; i < n; i++)
        if (events[i].event.kind == EVENT_ACCEPTED)
            c.log[c.n_log++] = event_leaf(&events[i].event);
    if (n > 0)
        qsort(events, n, sizeof(*events), provider_order);
    for (size_t i = 0; i < n;) {
        size_t end = i + 1;

        while (end < n && same_provider(&events[i], &events[end]))
            end++;
        c.scores[c.n_scores++] = leaf_of(events + i, end - i, formula, a);
        i = end;
    }
    c.score_root = score_root(c.scores, c.n_scores);
    c.log_root = logtree_root(c.log, c.n_log);
    *out = c;
}
