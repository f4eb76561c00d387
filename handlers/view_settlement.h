/* SPDX-License-Identifier: MIT */
#ifndef HANDLERS_VIEW_SETTLEMENT_H
#define HANDLERS_VIEW_SETTLEMENT_H

#include "eth/entries.h"
#include "handlers/json_out.h"
#include "server/app.h"
#include "sql.h"

/** Members `chain_id` and `contract`. */
void put_contract(struct json_out *o, const struct app *app);

/** When the contract's delay after a settlement ends, microseconds; 0 while it is not settled. */
int64_t claimable_at(const struct app *app, int64_t settled_at);

/** Settlement in a list. */
void view_settlement(struct json_out *o, const char *name, const struct app *app,
                     const struct sql_settlement_list_row *b);

/** Settlement read alone: with the entries of its calldata, padded as the contract hashes them. */
void view_settlement_read(struct json_out *o, const char *name, const struct app *app,
                          const struct sql_settlement_get_row *b);

/** What a payout proof adds to its row. */
struct proof_parts {
    struct address address;
    uint8_t chunk[CHUNK_SIZE];
    uint8_t index; /**< of the entry in its chunk */
    size_t entries;
    const struct digest *siblings;
    size_t n_siblings;
};

/** Proof */
void view_proof(struct json_out *o, const struct app *app, const struct sql_proof_get_row *p,
                const struct proof_parts *parts);

#endif
