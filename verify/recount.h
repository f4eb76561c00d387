/* SPDX-License-Identifier: MIT */
#ifndef VERIFY_RECOUNT_H
#define VERIFY_RECOUNT_H

#include "eth/event.h"
#include "verify/score.h"

/*
 * A score counted again from its events, as GET /v1/providers/{provider}/reputation/events lists
 * them.
 */

/** More events of one provider than any epoch can hold. */
#define EVENTS_MAX 200000

struct events {
    struct event *list;
    size_t n;
    size_t room;
};

/**
 * Read all events.
 *
 * @from  a file with a page, or with a list of pages ("-" is not possible: the proof may be there);
 *        or the http(s) URL of the first page, of which the others are fetched too
 * @out   in the order given, in the arena
 * @return E_IO, E_PEER, E_TIMEOUT, E_BAD_JSON, E_TOO_LARGE, E_VALIDATION with what is wrong
 */
MUST_CHECK enum err_code events_read(const char *from, struct arena *a, struct events *out,
                                     struct err *err);

/** The score that an epoch began with, and where it is said. */
struct before {
    uint64_t epoch; /**< 0: it is the provider's first */
    uint32_t score;
};

/** Read the member "previous" of a score's proof. @return E_VALIDATION */
MUST_CHECK enum err_code before_read(const json_t *document, struct before *out, struct err *err);

/**
 * Check that exactly these events, in this order, are what the leaf counts: each of this provider
 * and epoch, none twice, as many of each kind, under the leaf's events root; and that the formula
 * (docs/settlement.md, "Proofs") gives its score.
 *
 * @a      for what is needed in between
 * @return E_DIGEST_MISMATCH with what differs
 */
MUST_CHECK enum err_code recount_check(const struct score_leaf *leaf, const struct events *events,
                                       const struct before *before, struct arena *a,
                                       struct err *err);

#endif
