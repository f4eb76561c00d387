/* SPDX-License-Identifier: MIT */
#include "verify/recount.h"

#include <inttypes.h>
#include <stdlib.h>

#include "eth/address.h"
#include "eth/logtree.h"

#define SCORE_BEGIN 5000
#define SCORE_MAX   10000

enum err_code before_read(const json_t *document, struct before *out, struct err *err)
{
    const json_t *v = json_object_get(document, "previous");
    uint64_t score;

    if (json_is_null(v)) {
        *out = (struct before){0, SCORE_BEGIN};
        return E_OK;
    }
    if (!json_is_object(v) || !document_int(v, "epoch", INT64_MAX, &out->epoch) ||
        !document_int(v, "score", SCORE_MAX, &score) || out->epoch == 0)
        return err_set(err, E_VALIDATION,
                       "\"previous\" is neither null nor an epoch and its score");
    out->score = (uint32_t)score;
    return E_OK;
}

static int event_order(const struct event *a, const struct event *b)
{
    if (a->at_us != b->at_us)
        return a->at_us < b->at_us ? -1 : 1;
    return memcmp(a->attempt.b, b->attempt.b, sizeof(a->attempt.b));
}

static int attempt_order(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct uuid));
}

/* The same attempt counted at two times would be in order; here it is next to itself. */
static bool some_twice(const struct events *events, struct arena *a)
{
    struct uuid *attempts = arena_alloc(a, (events->n + 1) * sizeof(*attempts));

    for (size_t i = 0; i < events->n; i++)
        attempts[i] = events->list[i].attempt;
    if (events->n > 1)
        qsort(attempts, events->n, sizeof(*attempts), attempt_order);
    for (size_t i = 1; i < events->n; i++)
        if (attempt_order(&attempts[i - 1], &attempts[i]) == 0)
            return true;
    return false;
}

static enum err_code check_each(const struct score_leaf *leaf, const struct events *events,
                                struct err *err)
{
    for (size_t i = 0; i < events->n; i++) {
        const struct event *e = &events->list[i];

        if (e->epoch != leaf->epoch)
            return err_set(err, E_DIGEST_MISMATCH,
                           "event %zu is of epoch %" PRIu64 ", not %" PRIu64, i + 1, e->epoch,
                           leaf->epoch);
        if (!address_eq(e->provider, leaf->provider))
            return err_set(err, E_DIGEST_MISMATCH, "event %zu is another provider's", i + 1);
    }
    return E_OK;
}

static enum err_code check_counts(const struct score_leaf *leaf, const struct events *events,
                                  struct err *err)
{
    uint64_t seen[EVENT_EXPIRED + 1] = {0};

    for (size_t i = 0; i < events->n; i++)
        seen[events->list[i].kind]++;
    if (seen[EVENT_ACCEPTED] == leaf->accepted && seen[EVENT_REJECTED] == leaf->rejected &&
        seen[EVENT_EXPIRED] == leaf->expired)
        return E_OK;
    return err_set(err, E_DIGEST_MISMATCH,
                   "the leaf counts %" PRIu64 " accepted, %" PRIu64 " rejected, %" PRIu64
                   " expired; the events are %" PRIu64 ", %" PRIu64 ", %" PRIu64,
                   leaf->accepted, leaf->rejected, leaf->expired, seen[EVENT_ACCEPTED],
                   seen[EVENT_REJECTED], seen[EVENT_EXPIRED]);
}

static enum err_code check_root(const struct score_leaf *leaf, const struct events *events,
                                struct arena *a, struct err *err)
{
    struct digest *hashes = arena_alloc(a, (events->n + 1) * sizeof(*hashes));
    struct digest root;

    for (size_t i = 0; i < events->n; i++)
        hashes[i] = event_leaf(&events->list[i]);
    root = logtree_root(hashes, events->n);
    if (memcmp(&root, &leaf->events_root, sizeof(root)) != 0)
        return err_set(err, E_DIGEST_MISMATCH,
                       "these are not the events that were counted: their root is another");
    return E_OK;
}

static uint64_t bounded(uint64_t n)
{
    return n < (1ULL << 32) ? n : 1ULL << 32;
}

/* Written from the page, not from core/reputation.c: a second opinion on the arithmetic too. */
static enum err_code check_formula(const struct score_leaf *leaf, const struct before *before,
                                   struct err *err)
{
    uint64_t accepted = bounded(leaf->accepted);
    uint64_t weight = 32 + accepted + 2 * bounded(leaf->expired) + 4 * bounded(leaf->rejected);
    uint64_t score = (32 * (uint64_t)before->score + 10000 * accepted) / weight;

    if (score != leaf->score)
        return err_set(err, E_DIGEST_MISMATCH,
                       "from %" PRIu32 " the formula gives %" PRIu64 ", the leaf says %" PRIu32,
                       before->score, score, leaf->score);
    return E_OK;
}

enum err_code recount_check(const struct score_leaf *leaf, const struct events *events,
                            const struct before *before, struct arena *a, struct err *err)
{
    enum err_code rc = check_each(leaf, events, err);

    if (rc == E_OK && some_twice(events, a))
        rc = err_set(err, E_DIGEST_MISMATCH, "an attempt is counted twice");
    for (size_t i = 1; i < events->n && rc == E_OK; i++)
        if (event_order(&events->list[i - 1], &events->list[i]) >= 0)
            rc =
                err_set(err, E_DIGEST_MISMATCH, "event %zu comes before the one it follows", i + 1);
    if (rc == E_OK)
        rc = check_counts(leaf, events, err);
    if (rc == E_OK)
        rc = check_root(leaf, events, a, err);
    if (rc == E_OK && before->epoch >= leaf->epoch)
        rc = err_set(err, E_DIGEST_MISMATCH, "the score before is of a later epoch");
    return rc == E_OK ? check_formula(leaf, before, err) : rc;
}
