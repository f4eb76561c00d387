/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_AGENT_PICKS_H
#define WORKERS_AGENT_PICKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/id.h"

#define PICKS_MAX     64 /**< what one claim may name */
#define PICKS_EXPLORE 4  /**< sources that were never run here and look like a loss */

/** A source that would be served, and what it is expected to bring in an hour. */
struct pick {
    char id[ID_TEXT_MAX];
    int64_t profit; /**< units an hour and slot */
    bool measured;
};

/** The sources to claim for, best first. */
struct picks {
    struct pick rows[PICKS_MAX];
    size_t n;
    size_t top; /**< of these: bring at least half of what the best does; asked for first */
    size_t explored;
};

/** Take one in, if it belongs to the best. */
void picks_add(struct picks *p, const struct pick *one);

/**
 * The same for a worker that earns: no known loss. What was never run is tried even if its limits
 * look like a loss, but only some of those.
 */
void picks_add_earning(struct picks *p, const struct pick *one);

/** All are in: draw the line below the top. @by_profit false: all are top */
void picks_done(struct picks *p, bool by_profit);

#endif
