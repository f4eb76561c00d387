/* SPDX-License-Identifier: MIT */
#ifndef INDEXER_THEFT_H
#define INDEXER_THEFT_H

#include "indexer/indexer.h"

/**
 * Whether the chain holds what only a thief with one of our keys can have put there: batches that
 * are not ours, vouchers for more than was earned. The guardian has no more than `delay` to void
 * them, so each is said as an error when it is first seen, and stays in the figures while it
 * stands.
 *
 * @booked  the books have changed since the last call; else they are asked only while something
 * stands
 */
MUST_CHECK enum err_code theft_watch(struct indexer *ix, bool booked, struct err *err);

#endif
