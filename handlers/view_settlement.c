/* SPDX-License-Identifier: MIT */
#include "handlers/view_settlement.h"

#include <string.h>

#include "lib/hex.h"

void put_contract(struct json_out *o, const struct app *app)
{
    put_int(o, "chain_id", (int64_t)app->chain_id);
    put_address(o, "contract", bytes_of(app->settlement.b, sizeof(app->settlement.b)));
}

int64_t claimable_at(const struct app *app, int64_t settled_at)
{
    return settled_at ? settled_at + app->claim_delay_s * 1000000 : 0;
}

static void settlement_members(struct json_out *o, const struct app *app,
                               const struct sql_settlement_list_row *b)
{
    put_id(o, "id", ID_BATCH, b->id);
    put_int(o, "epoch", b->epoch);
    put_text(o, "status", b->state);
    put_int(o, "entries", b->items);
    put_decimal(o, "increase", b->increase_units);
    put_hex(o, "root", "0x", b->root);
    put_hex(o, "score_root", "0x", b->score_root);
    put_hex(o, "log_root", "0x", b->log_root);
    put_hex(o, "tx_hash", "0x", b->tx_hash);
    if (b->has_block_no)
        put_int(o, "block_number", b->block_no);
    else
        put_null(o, "block_number");
    put_contract(o, app);
    put_time(o, "created_at", b->created_at);
    put_time(o, "confirmed_at", b->settled_at);
    put_time(o, "claimable_at", claimable_at(app, b->settled_at));
    put_open(o, "urls", '{');
    put_path(o, "self", "/v1/settlements/", ID_BATCH, b->id, "");
    put_close(o, '}');
}

void view_settlement(struct json_out *o, const char *name, const struct app *app,
                     const struct sql_settlement_list_row *b)
{
    put_open(o, name, '{');
    settlement_members(o, app, b);
    put_close(o, '}');
}

/* The last chunk is filled up with zeros, as the contract does before it hashes. */
static void put_padded(struct json_out *o, struct arena *a, struct bytes entries)
{
    size_t n = entries_chunks(entries.n);
    uint8_t *all = arena_alloc(a, n * CHUNK_SIZE + 1);

    for (size_t i = 0; i < n; i++)
        entries_chunk(entries, i, all + i * CHUNK_SIZE);
    put_hex(o, "data", "0x", bytes_of(all, n * CHUNK_SIZE));
}

void view_settlement_read(struct json_out *o, const char *name, const struct app *app,
                          const struct sql_settlement_get_row *b)
{
    const struct sql_settlement_list_row row = {
        .id = b->id,
        .epoch = b->epoch,
        .state = b->state,
        .increase_units = b->increase_units,
        .items = b->items,
        .root = b->root,
        .score_root = b->score_root,
        .log_root = b->log_root,
        .tx_hash = b->tx_hash,
        .block_no = b->block_no,
        .has_block_no = b->has_block_no,
        .created_at = b->created_at,
        .settled_at = b->settled_at,
    };

    put_open(o, name, '{');
    settlement_members(o, app, &row);
    if (b->entries.p)
        put_padded(o, json_out_arena(o), b->entries);
    else
        put_null(o, "data");
    put_close(o, '}');
}

void view_proof(struct json_out *o, const struct app *app, const struct sql_proof_get_row *p,
                const struct proof_parts *parts)
{
    put_open(o, NULL, '{');
    put_address(o, "address", bytes_of(parts->address.b, sizeof(parts->address.b)));
    put_int(o, "id", p->chain_id);
    put_id(o, "batch", ID_BATCH, p->batch);
    put_int(o, "epoch", p->epoch);
    put_string(o, "counter", "earned");
    put_decimal(o, "units", p->units);
    put_decimal(o, "claimed_units", p->claimed_units);
    put_hex(o, "chunk", "0x", bytes_of(parts->chunk, sizeof(parts->chunk)));
    put_int(o, "index", parts->index);
    put_int(o, "entries", (int64_t)parts->entries);
    put_open(o, "proof", '[');
    for (size_t i = 0; i < parts->n_siblings; i++)
        put_hex(o, NULL, "0x", bytes_of(parts->siblings[i].b, sizeof(parts->siblings[i].b)));
    put_close(o, ']');
    put_hex(o, "root", "0x", p->root);
    put_contract(o, app);
    put_hex(o, "tx_hash", "0x", p->tx_hash);
    put_time(o, "claimable_at", claimable_at(app, p->settled_at));
    put_close(o, '}');
}
