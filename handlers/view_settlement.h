/* SPDX-License-Identifier: MIT */
#ifndef HANDLERS_VIEW_SETTLEMENT_H
#define HANDLERS_VIEW_SETTLEMENT_H

#include <jansson.h>

#include "eth/entries.h"
#include "server/app.h"
#include "sql.h"

/** Settlement in a list. */
json_t *view_settlement(const struct app *app, const struct sql_settlement_list_row *b);

/** Settlement read alone: with the entries of its calldata, padded as the contract hashes them. */
json_t *view_settlement_read(const struct app *app, const struct sql_settlement_get_row *b);

/** What a payout proof adds to its row. */
struct proof_parts {
    uint8_t chunk[CHUNK_SIZE];
    uint8_t index; /**< of the entry in its chunk */
    size_t entries;
    const struct digest *siblings;
    size_t n_siblings;
};

/** Proof */
json_t *view_proof(const struct app *app, struct address address, const struct sql_proof_get_row *p,
                   const struct proof_parts *parts);

#endif
