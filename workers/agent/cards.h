/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_AGENT_CARDS_H
#define WORKERS_AGENT_CARDS_H

#include <pthread.h>
#include <stdatomic.h>

#include "workers/device/book.h"
#include "workers/options.h"

/* This worker's cards: a thread looks at them, slots lease them. */

struct agent;

struct cards {
    const struct options *options;
    struct device_finder finder; /**< of the looking thread alone, once that runs */
    struct device_book *book;
    pthread_t thread;
    pthread_mutex_t mutex; /**< guards what follows */
    pthread_cond_t changed;
    bool hurry; /**< somebody waits for a look */
    unsigned looks;
    _Atomic unsigned offer; /**< what could be promised at the last look for it */
};

/** What a slot has of the cards. */
struct card_hold {
    struct device_lease lease;
    bool used;     /**< a task had it: its memory holds what nobody else may see */
    json_t *edits; /**< what its container gets; NULL without a card */
    char code[32]; /**< why its card failed; "" while it has not */
    char text[160];
};

/** Find the cards, read who is in quarantine. @return E_CONFIG; cards_close() is due only after
 * E_OK */
MUST_CHECK enum err_code cards_open(struct agent *a, const struct options *o, struct err *err);
void cards_close(struct cards *c);

/** The thread: a look every OGPU_DEVICE_MS; faults stop their slot. Now and then it also looks for
 * a driver that came late, and for what can be promised by now. @arg struct agent * */
void *cards_main(void *arg);

/** Have the thread see that the worker is over. */
void cards_wake(struct cards *c);

/** What this worker can promise now: offer_environments() of the book's cards; kept in `offer`. */
unsigned cards_offer(struct agent *a, bool tell);

struct slot;
struct manifest;

/**
 * Before a claim: reserve a card if one is free, and leave in its list what can be served then.
 *
 * @sources  the claim's `sources`, taken over; NULL for every registered source
 * @none     set when there is nothing that could be served now: do not claim
 * @return   a new reference, or NULL
 */
json_t *cards_claim(struct slot *s, json_t *sources, bool *none);

/** Whether there are sources that want a card, and the slot has none for them. */
bool cards_wanted(const struct slot *s);

/**
 * A claim came: keep the reserved card if the source can use it, exchange it if it wants another,
 * let it go if it wants none.
 *
 * @return E_NO_SLOT when the source needs a card and none is free; E_CONFIG when the card cannot be
 * given to a container
 */
MUST_CHECK enum err_code cards_begin(struct slot *s, const struct manifest *source,
                                     struct err *err);

/** What the slot's run may use: its card's environment, or the CPU. */
unsigned cards_environment(const struct slot *s);

/**
 * The run is over: look once more, so that a fault on its way out still counts.
 *
 * @stuck  its container did not end (box_result): nobody else gets the card
 */
void cards_after_run(struct slot *s, bool stuck);

/** The attempt is over: scrub and give back. */
void cards_end(struct slot *s);

#endif
