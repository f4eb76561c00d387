/* SPDX-License-Identifier: MIT */
#include "relayer/relayer.h"

static enum err_code carry(struct relayer *r, const struct sql_batch_unsettled_row *row,
                           struct err *err)
{
    struct batch batch = {.id = row->id,
                          .epoch = row->epoch,
                          .increase_units = row->increase_units,
                          .entries = row->entries};

    if (row->entries.p) {
        memcpy(batch.root.b, row->root.p, sizeof(batch.root.b));
        memcpy(batch.score_root.b, row->score_root.p, sizeof(batch.score_root.b));
        memcpy(batch.log_root.b, row->log_root.p, sizeof(batch.log_root.b));
    } else {
        enum err_code rc = relayer_seal(r, &batch, err);

        if (rc != E_OK)
            return rc;
    }
    return relayer_send(r, &batch, err);
}

enum err_code relayer_step(struct relayer *r, struct err *err)
{
    struct sql_batch_unsettled in = {.max = (int32_t)r->in_flight_max};
    const struct sql_batch_unsettled_row *open;
    const void *rows;
    size_t n;
    enum err_code rc;

    arena_reset(r->arena);
    rc = db_run(r->db, SQL_BATCH_UNSETTLED, &in, 1, r->arena, &rows, &n, err);
    if (rc == E_OK && n < (size_t)r->in_flight_max) {
        rc = relayer_form(r, err);
        if (rc == E_OK)
            rc = db_run(r->db, SQL_BATCH_UNSETTLED, &in, 1, r->arena, &rows, &n, err);
    }
    open = rows;
    /* In epoch order: the contract takes epochs one after the other, and so do nonces. */
    for (size_t i = 0; rc == E_OK && i < n; i++)
        rc = carry(r, &open[i], err);
    return rc;
}
