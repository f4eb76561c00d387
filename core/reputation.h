/* SPDX-License-Identifier: MIT */
#ifndef CORE_REPUTATION_H
#define CORE_REPUTATION_H

#include "core/money.h"
#include "eth/eip712.h"
#include "eth/event.h"
#include "eth/score.h"

/** A score is 0 to SCORE_MAX; who has none yet starts in the middle. */
#define SCORE_MAX   10000
#define SCORE_BEGIN 5000

/** What an epoch saw of one provider. */
struct score_counts {
    uint64_t accepted;
    uint64_t rejected;
    uint64_t expired;
};

/**
 * A way to score: the score after an epoch, from the one before it and what the epoch saw. Integer
 * arithmetic only, so that anyone gets the same figure; more accepted never lowers it, more of the
 * others never raises it, and the result stays within 0 .. SCORE_MAX.
 */
typedef uint32_t score_formula(uint32_t before, const struct score_counts *counts);

/**
 * The formula in use. The score before weighs as much as 32 events; an accepted task pulls towards
 * SCORE_MAX with weight 1, an expired attempt towards 0 with weight 2, a rejected one with weight
 * 4:
 *
 *   (32 · before + 10000 · accepted) / (32 + accepted + 2 · expired + 4 · rejected), rounded down
 *
 * Counts above 2^32 count as 2^32.
 */
score_formula reputation_score;

/** The facts behind one event, as the rows have them. */
struct work {
    enum event_kind kind;
    struct eip712_response signed_as; /**< its output is not read when there is no response */
    bool responded;
    struct address payee;
    struct wei amount;
    int64_t at_us;
};

/** The event of this work in an epoch. @domain under which the response was signed */
struct event reputation_event(const struct work *w, const struct eip712_domain *domain,
                              uint64_t epoch);

/** An event with the provider's score before the epoch. */
struct scored_event {
    struct event event;
    uint32_t before;
};

/** A closed epoch; arrays in the arena. */
struct epoch_close {
    struct digest score_root;
    struct digest log_root;
    struct score_leaf *scores; /**< by provider address, ascending */
    size_t n_scores;
    struct digest *log; /**< the acceptances' leaves in the log's order */
    size_t n_log;
};

/**
 * Close an epoch: the same events in any order give the same roots. Events are ordered by time and,
 * at the same microsecond, by attempt.
 *
 * @events   sorted in place
 * @formula  the plug
 */
void reputation_close(struct scored_event *events, size_t n, score_formula *formula,
                      struct arena *a, struct epoch_close *out);

#endif
