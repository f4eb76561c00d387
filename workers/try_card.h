/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_TRY_CARD_H
#define WORKERS_TRY_CARD_H

#include "core/manifest.h"
#include "workers/device/book.h"
#include "workers/options.h"

/** A card for the one run of `try`. Zero-initialise. */
struct try_card {
    struct device_book *book;
    struct device_lease lease;
    json_t *edits; /**< for job.card; NULL when the source runs on the CPU */
};

/**
 * Lease a card, if the source can use one; on what runs on both the CPU does when there is none.
 *
 * @return E_NO_SLOT, E_CONFIG; try_card_end() is due in any case
 */
MUST_CHECK enum err_code try_card_take(struct try_card *t, const struct options *o,
                                       const struct manifest *source, struct err *err);

/** What the run may use: the card's environment, or the CPU. */
unsigned try_card_environment(const struct try_card *t);

/** Scrub it, give it back. */
void try_card_end(struct try_card *t);

#endif
