/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_AGENT_SOURCES_H
#define WORKERS_AGENT_SOURCES_H

#include <jansson.h>

#include "workers/agent/api.h"
#include "workers/agent/earnings.h"
#include "workers/agent/picks.h"
#include "workers/agent/predicate.h"
#include "workers/device/book.h"
#include "workers/egress_terms.h"

#define SOURCES_MAX       64 /**< what one claim may name */
#define SOURCES_KNOWN_MAX 4096

/** A source that we are registered for. */
struct source_known {
    struct uuid id;
    _Atomic unsigned environments; /**< that we promised to run it in; 0: taken back */
    int64_t card_memory_mb;        /**< that it wants of a card; 0: any */
    unsigned offer; /**< what this machine ran when that was decided; the registering thread's */
};

/** Which sources this worker serves. */
struct sources {
    char ids[SOURCES_MAX][ID_TEXT_MAX]; /**< of OGPU_SOURCES; none: all that fit */
    size_t count;
    _Atomic unsigned environments; /**< what this machine runs; the caller sets it, before
                                    * sources_register(), again when it changes */
    struct egress_terms egress;    /**< what we agree to; the caller sets it */
    bool picking;                  /**< by predicate or by profit: claims name what was picked */
    bool by_profit;                /**< OGPU_SOURCES=auto */
    struct predicate predicate;    /**< of OGPU_SOURCES_IF */
    struct earnings *earnings;
    struct power power;
    pthread_mutex_t mutex; /**< guards `picks` */
    struct picks picks;
    int64_t memory_mb;          /**< what this machine has: sources that want more do not fit */
    struct source_known *known; /**< registered already, in this process's life */
    _Atomic size_t known_count; /**< grows in one thread, is read in others */
};

/** How to choose. */
struct sources_config {
    const char *list;      /**< OGPU_SOURCES: ids, "auto" or "" */
    const char *predicate; /**< OGPU_SOURCES_IF */
    const char *kwh_price; /**< OGPU_KWH_PRICE: decimal OGPU */
    int64_t watts;
    int64_t slots;
};

/** @earnings  borrowed. @return E_CONFIG naming what is no source id, clause or price. */
MUST_CHECK enum err_code sources_open(struct sources *s, const struct sources_config *config,
                                      struct earnings *earnings, struct err *err);
void sources_close(struct sources *s);

/**
 * Sign and put a registration for every source that is meant, fits this machine and is not
 * registered yet; and anew, or take it back, where what this machine runs has changed.
 *
 * @added  how many are new
 * @return E_CONFIG when a source of OGPU_SOURCES cannot be served; E_PEER, E_TIMEOUT
 */
MUST_CHECK enum err_code sources_register(struct sources *s, struct api *api, size_t *added,
                                          struct err *err);

/**
 * The `sources` member of a claim; a new reference, NULL when every registered source is meant.
 *
 * @top   only those that bring most
 * @none  set when nothing is to be claimed at all
 */
json_t *sources_claim(struct sources *s, bool top, bool *none);

/** Whether claims should ask for the top first. */
bool sources_have_top(struct sources *s);

/** Whether the list of sources is to be read again and again. */
bool sources_change(const struct sources *s);

/**
 * Every active source of the gateway.
 *
 * @visit  called with each; its errors end the walk
 * @return E_PEER, E_TIMEOUT, or what `visit` returned
 */
MUST_CHECK enum err_code sources_each(struct api *api,
                                      enum err_code (*visit)(void *ctx, const json_t *source,
                                                             struct err *err),
                                      void *ctx, struct err *err);

/**
 * Judge one source of the gateway's list.
 *
 * @api  to ask for an image's size, if the predicate wants it; NULL: clauses on it are left out
 * @out  what it is, borrowed from `source`
 * @return E_CONFIG with the reason why it is not served; E_PEER when it is not what the contract
 * says
 */
MUST_CHECK enum err_code sources_judge(const struct sources *s, const json_t *source,
                                       struct api *api, struct uuid *id, struct manifest *out,
                                       struct err *err);

/** Whether OGPU_SOURCES lets it be served: named, or nothing is. */
bool sources_named(const struct sources *s, struct uuid id);

/** All environments that the registered sources can use; 0 while there are none. */
unsigned sources_environments(const struct sources *s);

/** What a card must be for one of the registered sources that want one, chosen at random, so that
 * no card is passed by for ever. @return false when none wants a card in `environments` */
bool sources_card_need(const struct sources *s, unsigned environments, struct device_want *out);

/**
 * Leave in a claim's list what can be served on the CPU, or with this card.
 *
 * @card  NULL for none
 * @list  from sources_claim(), taken over; NULL for every registered source
 * @none  set when nothing is left
 * @return a new reference, NULL for every registered source; at most SOURCES_MAX, beginning at a
 * random one, so that all get their turn
 */
json_t *sources_fitting(const struct sources *s, const struct device *card, json_t *list,
                        bool *none);

#endif
