/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "lib/killpoint.h"
#include "lib/log.h"
#include "relayer/relayer.h"

static struct batch batch_of(const struct sql_batch_unsettled_row *row)
{
    struct batch batch = {.id = row->id,
                          .epoch = row->epoch,
                          .increase_units = row->increase_units,
                          .entries = row->entries};

    if (!row->entries.p)
        return batch;
    memcpy(batch.root.b, row->root.p, sizeof(batch.root.b));
    memcpy(batch.score_root.b, row->score_root.p, sizeof(batch.score_root.b));
    memcpy(batch.log_root.b, row->log_root.p, sizeof(batch.log_root.b));
    return batch;
}

/* The first transaction of a batch; everything before it is mined. */
static enum err_code start(struct relayer *r, struct batch *batch, struct err *err)
{
    bool good = true;
    enum err_code rc = batch->entries.p ? E_OK : relayer_seal(r, batch, err);

    KILLPOINT("sealed");
    if (rc == E_OK)
        rc = relayer_judge(r, batch, &good, err);
    if (rc != E_OK || !good)
        return rc;
    rc = relayer_offer(r, batch, err);
    if (rc == E_OK && r->form_max > 0) {
        r->form_max *= 2;
        if (r->form_max >= r->batching.max_count)
            r->form_max = 0;
    }
    return rc;
}

static enum err_code unsettled(struct relayer *r, const struct sql_batch_unsettled_row **out,
                               size_t *n, struct err *err)
{
    struct sql_batch_unsettled in = {.max = (int32_t)r->in_flight_max};
    const void *rows;
    enum err_code rc = db_run(r->db, SQL_BATCH_UNSETTLED, &in, 1, r->arena, &rows, n, err);

    if (rc == E_OK)
        *out = rows;
    return rc;
}

/* Whether a block came since the last round: only then can a receipt be another. */
static enum err_code new_head(struct relayer *r, struct digest *head, bool *is_new, struct err *err)
{
    struct rpc_block block;
    enum err_code rc = rpc_block(r->rpc, "latest", &block, err);

    if (rc != E_OK)
        return rc;
    *is_new = memcmp(&block.hash, &r->head, sizeof(block.hash)) != 0;
    *head = block.hash;
    r->head_time = block.time;
    if (!*is_new)
        return E_OK;
    /* Nodes that cannot say what is final hold up no sending. */
    rc = finality_block(&r->finality, r->rpc, &r->final_no, err);
    if (rc != E_OK && rc != E_NOT_FOUND)
        log_warn("finality", "text=%s", err->text);
    return E_OK;
}

/*
 * In epoch order: the contract takes epochs one after the other, and so do nonces. A batch is
 * signed once all before it are mined, so that it can be tried on the state it will meet; what was
 * signed before a reorg is said again whatever the ones before it do.
 */
static enum err_code carry(struct relayer *r, const struct sql_batch_unsettled_row *open, size_t n,
                           bool *idle, struct err *err)
{
    struct digest head;
    bool look;
    enum err_code rc = new_head(r, &head, &look, err);

    *idle = true;
    for (size_t i = 0; i < n && rc == E_OK; i++) {
        struct batch batch = batch_of(&open[i]);
        enum place where = PLACE_PENDING;

        rc = relayer_watch(r, &batch, look, &where, err);
        if (rc == E_OK && where == PLACE_UNSIGNED && *idle)
            rc = start(r, &batch, err);
        if (where != PLACE_MINED)
            *idle = false;
    }
    if (rc == E_OK)
        r->head = head;
    return rc;
}

void relayer_judge_nodes(struct relayer *r)
{
    struct rpc_health h = rpc_health(r->rpc);

    if (h.split || h.foreign || h.usable < h.nodes)
        alarm_raise(&r->alarms, ALARM_NODES, "%zu of %zu nodes usable%s%s", h.usable, h.nodes,
                    h.split ? ", they disagree on what is final" : "",
                    h.foreign ? ", one is of another chain" : "");
    else
        alarm_clear(&r->alarms, ALARM_NODES);
}

enum err_code relayer_step(struct relayer *r, struct err *err)
{
    const struct sql_batch_unsettled_row *open = NULL;
    bool idle = false;
    bool formed = false;
    size_t n = 0;
    enum err_code rc;

    arena_reset(r->arena);
    rc = relayer_facts(r, err);
    if (rc == E_OK)
        rc = unsettled(r, &open, &n, err);
    if (rc == E_OK)
        rc = carry(r, open, n, &idle, err);
    if (rc == E_OK && idle && n < (size_t)r->in_flight_max)
        rc = relayer_form(r, &formed, err);
    if (rc == E_OK && formed) {
        rc = unsettled(r, &open, &n, err);
        if (rc == E_OK && n > 0) {
            struct batch batch = batch_of(&open[n - 1]);

            rc = start(r, &batch, err);
        }
    }
    relayer_judge_nodes(r);
    /* A used budget is an alarm of its own, and over by itself. */
    return rc == E_QUOTA ? E_OK : rc;
}
