/* SPDX-License-Identifier: MIT */
#include "core/id.h"
#include "eth/entries.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/killpoint.h"
#include "lib/log.h"
#include "relayer/roots.h"

/* Whether the market asks so much that batches had better wait. */
static enum err_code is_dear(struct relayer *r, bool *out, struct err *err)
{
    struct fees now;
    enum err_code rc;

    *out = false;
    if (r->batching.calm_fee == 0)
        return E_OK;
    rc = relayer_fees_now(r, &now, err);
    if (rc == E_OK)
        *out = (r->legacy ? now.max_fee : (now.max_fee - now.tip) / 2) > r->batching.calm_fee;
    return rc;
}

/* A batch is tried on the newest block of whichever node is asked, which may be some blocks behind
 * the one we heard of: a day begins for us when it has begun for all of them. */
#define DAY_LATE_S 60

static struct sql_batch_form terms(const struct relayer *r, bool dear)
{
    const struct batching *b = &r->batching;
    bool halved = r->form_max > 0 && r->form_max < b->max_count;
    bool capped = r->facts.day_cap <= INT64_MAX / 2;
    struct sql_batch_form in = {.min_age_s = (int32_t)(dear ? b->wait_s : b->age_s),
                                .min_count = (int32_t)(dear ? INT32_MAX : b->count),
                                .max_count = (int32_t)(halved ? r->form_max : b->max_count),
                                .min_units = b->min_units,
                                .has_min_units = b->min_units > 0 && !dear,
                                .max_units = b->max_units,
                                .has_max_units = b->max_units > 0,
                                .idle_s = (int32_t)r->beat_s,
                                .has_idle_s = r->beat_s > 0,
                                .born = (int64_t)r->facts.born * 1000000,
                                .day_units = capped ? (int64_t)r->facts.day_cap : 0,
                                .has_day_units = capped,
                                .head = ((int64_t)r->head_time - DAY_LATE_S) * 1000000};

    /* What was in a batch that was refused has waited long enough. */
    if (halved)
        in.min_age_s = 0;
    return in;
}

enum err_code relayer_form(struct relayer *r, bool *formed, struct err *err)
{
    const struct sql_batch_form_row *row;
    struct sql_batch_form in;
    uint8_t random[10];
    char id[ID_TEXT_MAX];
    const void *rows;
    size_t n;
    bool dear;
    enum err_code rc = is_dear(r, &dear, err);

    *formed = false;
    if (rc != E_OK)
        return rc;
    in = terms(r, dear);
    random_bytes(random, sizeof(random));
    in.id = id_make(clock_wall_us() / 1000, random);
    rc = db_run(r->db, SQL_BATCH_FORM, &in, 1, r->arena, &rows, &n, err);
    if (rc != E_OK)
        return rc;
    row = rows;
    if (text_is(row->outcome, "quota"))
        alarm_raise(&r->alarms, ALARM_DAY_CAP, "payouts wait for the next day: daily cap %llu",
                    (unsigned long long)r->facts.day_cap);
    else
        alarm_clear(&r->alarms, ALARM_DAY_CAP);
    if (!text_is(row->outcome, "ok"))
        return E_OK;
    *formed = true;
    id_format(ID_BATCH, in.id, id);
    log_info("batch_formed", "batch=%s epoch=%lld", id, (long long)row->epoch);
    KILLPOINT("r1");
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
