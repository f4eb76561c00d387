/* SPDX-License-Identifier: MIT */
#include "handlers/view_settlement.h"

#include <inttypes.h>
#include <stdlib.h>

#include "handlers/view.h"
#include "lib/hex.h"

static json_t *units_of(int64_t units)
{
    return json_sprintf("%" PRId64, units);
}

static json_t *contract_of(const struct app *app)
{
    return view_address(bytes_of(app->settlement.b, sizeof(app->settlement.b)));
}

static int64_t claimable_at(const struct app *app, int64_t settled_at)
{
    return settled_at ? settled_at + app->claim_delay_s * 1000000 : 0;
}

json_t *view_settlement(const struct app *app, const struct sql_settlement_list_row *b)
{
    char id[ID_TEXT_MAX];
    json_t *o = json_pack("{s:o, s:I, s:o, s:I, s:o, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:o}", "id",
                          view_id(ID_BATCH, b->id), "epoch", (json_int_t)b->epoch, "status",
                          view_text(b->state), "entries", (json_int_t)b->items, "increase",
                          units_of(b->increase_units), "root", view_chain_hex(b->root), "tx_hash",
                          view_chain_hex(b->tx_hash), "block_number",
                          b->has_block_no ? json_integer(b->block_no) : json_null(), "chain_id",
                          (json_int_t)app->chain_id, "contract", contract_of(app), "created_at",
                          view_time(b->created_at), "confirmed_at", view_time(b->settled_at),
                          "claimable_at", view_time(claimable_at(app, b->settled_at)));

    id_format(ID_BATCH, b->id, id);
    json_object_set_new(o, "urls",
                        json_pack("{s:o}", "self", json_sprintf("/v1/settlements/%s", id)));
    return o;
}

/* The last chunk is filled up with zeros, as the contract does before it hashes. */
static json_t *padded(struct bytes entries)
{
    size_t chunks = entries_chunks(entries.n);
    char *text;
    json_t *out;

    if (entries.p == NULL)
        return json_null();
    text = malloc(2 + chunks * CHUNK_SIZE * 2 + 1);
    if (text == NULL)
        abort();
    memcpy(text, "0x", 3);
    for (size_t i = 0; i < chunks; i++) {
        uint8_t chunk[CHUNK_SIZE];

        entries_chunk(entries, i, chunk);
        hex_encode(chunk, sizeof(chunk), text + 2 + i * CHUNK_SIZE * 2);
    }
    out = json_string(text);
    free(text);
    return out;
}

json_t *view_settlement_read(const struct app *app, const struct sql_settlement_get_row *b)
{
    struct sql_settlement_list_row row = {
        .id = b->id,
        .epoch = b->epoch,
        .state = b->state,
        .increase_units = b->increase_units,
        .items = b->items,
        .root = b->root,
        .tx_hash = b->tx_hash,
        .block_no = b->block_no,
        .has_block_no = b->has_block_no,
        .created_at = b->created_at,
        .settled_at = b->settled_at,
    };
    json_t *o = view_settlement(app, &row);

    json_object_set_new(o, "data", padded(b->entries));
    return o;
}

json_t *view_proof(const struct app *app, struct address address, const struct sql_proof_get_row *p,
                   const struct proof_parts *parts)
{
    json_t *siblings = json_array();

    for (size_t i = 0; i < parts->n_siblings; i++)
        json_array_append_new(siblings, view_chain_hex(bytes_of(parts->siblings[i].b, 32)));
    return json_pack(
        "{s:o, s:I, s:o, s:I, s:s, s:o, s:o, s:o, s:i, s:I, s:o, s:o, s:o, s:I, s:o, s:o}",
        "address", view_address(bytes_of(address.b, sizeof(address.b))), "id",
        (json_int_t)p->chain_id, "batch", view_id(ID_BATCH, p->batch), "epoch",
        (json_int_t)p->epoch, "counter", "earned", "units", units_of(p->units), "claimed_units",
        units_of(p->claimed_units), "chunk",
        view_chain_hex(bytes_of(parts->chunk, sizeof(parts->chunk))), "index", (int)parts->index,
        "entries", (json_int_t)parts->entries, "proof", siblings, "root", view_chain_hex(p->root),
        "contract", contract_of(app), "chain_id", (json_int_t)app->chain_id, "tx_hash",
        view_chain_hex(p->tx_hash), "claimable_at", view_time(claimable_at(app, p->settled_at)));
}
