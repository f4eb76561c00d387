/* SPDX-License-Identifier: MIT */
#include "core/id.h"
#include "eth/entries.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "relayer/roots.h"

enum err_code relayer_form(struct relayer *r, struct err *err)
{
    struct sql_batch_form in = {.min_age_s = (int32_t)r->batch_age_s,
                                .min_count = (int32_t)r->batch_count,
                                .max_count = (int32_t)r->batch_max,
                                .idle_s = (int32_t)r->life.beat_s,
                                .has_idle_s = r->life.beat_s > 0,
                                .born = (int64_t)r->life.born * 1000000};
    const struct sql_batch_form_row *row;
    uint8_t random[10];
    char id[ID_TEXT_MAX];
    const void *rows;
    size_t n;
    enum err_code rc;

    random_bytes(random, sizeof(random));
    in.id = id_make(clock_wall_us() / 1000, random);
    rc = db_run(r->db, SQL_BATCH_FORM, &in, 1, r->arena, &rows, &n, err);
    if (rc != E_OK)
        return rc;
    row = rows;
    if (!text_is(row->outcome, "ok"))
        return E_OK;
    id_format(ID_BATCH, in.id, id);
    log_info("batch_formed", "batch=%s epoch=%lld", id, (long long)row->epoch);
    return E_OK;
}

/* The items' calldata, in their order. A batch that is only a sign of life has none; the contract
 * takes no empty batch, so it carries the entry that stands for nobody. */
static enum err_code encode(const struct sql_batch_items_row *items, size_t n, struct buf *out,
                            struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        struct entry e = {.id = (uint32_t)items[i].chain_id,
                          .spent = text_is(items[i].counter, "spent"),
                          .units = (uint64_t)items[i].units};
        enum err_code rc = entry_encode(e, out, err);

        if (rc != E_OK)
            return rc;
    }
    return n > 0 ? E_OK : buf_add(out, (uint8_t[ENTRY_SIZE]){0}, ENTRY_SIZE, err);
}

static enum err_code store(struct relayer *r, const struct batch *batch, struct err *err)
{
    struct sql_batch_seal in = {.id = batch->id,
                                .entries = batch->entries,
                                .root = bytes_of(batch->root.b, sizeof(batch->root.b)),
                                .score_root = bytes_of(batch->score_root.b, sizeof(struct digest)),
                                .log_root = bytes_of(batch->log_root.b, sizeof(struct digest)),
                                .log_leaves = batch->log_leaves};
    const struct sql_batch_seal_row *row;
    const void *rows;
    size_t n;
    enum err_code rc = db_run(r->db, SQL_BATCH_SEAL, &in, 1, r->arena, &rows, &n, err);

    if (rc != E_OK)
        return rc;
    row = rows;
    if (!text_is(row->outcome, "ok"))
        return err_set(err, err_by_word(row->outcome.s, row->outcome.n),
                       "epoch %lld is sealed with other entries", (long long)batch->epoch);
    return E_OK;
}

enum err_code relayer_seal(struct relayer *r, struct batch *batch, struct err *err)
{
    struct sql_batch_items in = {.batch = batch->id};
    struct buf bytes = {0};
    const void *items;
    size_t n;
    enum err_code rc = db_run(r->db, SQL_BATCH_ITEMS, &in, 1, r->arena, &items, &n, err);

    if (rc == E_OK)
        rc = encode(items, n, &bytes, err);
    if (rc == E_OK)
        rc = entries_root(bytes_of(bytes.p, bytes.n), &batch->root, err);
    if (rc == E_OK)
        rc = relayer_roots(r, batch, err);
    if (rc == E_OK) {
        batch->entries = arena_bytes(r->arena, bytes_of(bytes.p, bytes.n));
        rc = store(r, batch, err);
    }
    buf_done(&bytes);
    return rc;
}
