/* SPDX-License-Identifier: MIT */
#include "relayer/roots.h"

#include "core/reputation.h"
#include "lib/log.h"

/* Attempts with blame that one epoch counts at most; the rest waits for the next. */
#define BLAMED_MAX 20000

/* Leaves stored in one statement. */
#define PUT_MAX 256

static enum err_code judge(const void *rows, size_t n, const char *what, struct err *err)
{
    const struct sql_epoch_gather_row *row = rows; /* of score_put as well */

    for (size_t i = 0; i < n; i++)
        if (!text_is(row[i].outcome, "ok"))
            return err_set(err, err_by_word(row[i].outcome.s, row[i].outcome.n), "%s", what);
    return E_OK;
}

static enum err_code gather(struct relayer *r, const struct batch *batch, struct err *err)
{
    struct sql_epoch_gather in = {.batch = batch->id, .max = BLAMED_MAX};
    const void *rows;
    size_t n;
    enum err_code rc = db_run(r->db, SQL_EPOCH_GATHER, &in, 1, r->arena, &rows, &n, err);

    return rc == E_OK ? judge(rows, n, "the epoch's events were not gathered", err) : rc;
}

static struct digest digest_of(struct bytes b)
{
    struct digest d = {{0}};

    if (b.p)
        memcpy(d.b, b.p, sizeof(d.b));
    return d;
}

static struct address address_of(struct bytes b)
{
    struct address a;

    memcpy(a.b, b.p, sizeof(a.b));
    return a;
}

static struct work work_of(const struct sql_epoch_events_row *row)
{
    return (struct work){.kind = (enum event_kind)row->kind,
                         .signed_as = {.task = row->task,
                                       .attempt = row->attempt,
                                       .epoch = (uint32_t)row->attempt_epoch,
                                       .provider = address_of(row->address),
                                       .manifest = digest_of(row->manifest_hash),
                                       .input = digest_of(row->input_digest),
                                       .output = digest_of(row->output_digest)},
                         .responded = row->output_digest.p != NULL,
                         .payee = address_of(row->payee),
                         .amount = row->amount,
                         .at_us = row->at};
}

static enum err_code read_events(struct relayer *r, const struct batch *batch,
                                 struct scored_event **out, size_t *n, struct err *err)
{
    const struct eip712_domain domain = {r->chain_id, r->settlement};
    struct sql_epoch_events in = {.batch = batch->id};
    const struct sql_epoch_events_row *row;
    struct scored_event *events;
    const void *rows;
    enum err_code rc = db_run(r->db, SQL_EPOCH_EVENTS, &in, 1, r->arena, &rows, n, err);

    if (rc != E_OK)
        return rc;
    row = rows;
    events = arena_alloc(r->arena, (*n + 1) * sizeof(*events));
    for (size_t i = 0; i < *n; i++) {
        struct work w = work_of(&row[i]);

        events[i].event = reputation_event(&w, &domain, (uint64_t)batch->epoch);
        events[i].before = row[i].has_score ? (uint32_t)row[i].score : SCORE_BEGIN;
    }
    *out = events;
    return E_OK;
}

static enum err_code put_scores(struct relayer *r, const struct batch *batch,
                                const struct epoch_close *c, struct err *err)
{
    struct sql_score_put *in = arena_alloc(r->arena, (c->n_scores + 1) * sizeof(*in));

    for (size_t i = 0; i < c->n_scores; i++)
        in[i] = (struct sql_score_put){
            .batch = batch->id,
            .address = bytes_of(c->scores[i].provider.b, sizeof(c->scores[i].provider.b)),
            .epoch = batch->epoch,
            .accepted = (int64_t)c->scores[i].accepted,
            .rejected = (int64_t)c->scores[i].rejected,
            .expired = (int64_t)c->scores[i].expired,
            .score = (int32_t)c->scores[i].score,
            .events_root = bytes_of(c->scores[i].events_root.b, sizeof(struct digest))};
    for (size_t i = 0; i < c->n_scores; i += PUT_MAX) {
        size_t n = c->n_scores - i < PUT_MAX ? c->n_scores - i : PUT_MAX;
        const void *rows;
        size_t n_rows;
        enum err_code rc = db_run(r->db, SQL_SCORE_PUT, in + i, n, r->arena, &rows, &n_rows, err);

        if (rc == E_OK)
            rc = judge(rows, n_rows, "a sealed epoch's scores stay as they are", err);
        if (rc == E_OK && n_rows != n)
            rc = err_set(err, E_INTERNAL, "%zu of %zu score leaves were stored", n_rows, n);
        if (rc != E_OK)
            return rc;
    }
    return E_OK;
}

enum err_code relayer_roots(struct relayer *r, struct batch *batch, struct err *err)
{
    struct scored_event *events;
    struct epoch_close c;
    size_t n;
    enum err_code rc = gather(r, batch, err);

    if (rc == E_OK)
        rc = read_events(r, batch, &events, &n, err);
    if (rc != E_OK)
        return rc;
    reputation_close(events, n, reputation_score, r->arena, &c);
    rc = put_scores(r, batch, &c, err);
    if (rc != E_OK)
        return rc;
    batch->score_root = c.score_root;
    batch->log_root = c.log_root;
    batch->log_leaves = bytes_of(c.log, c.n_log * sizeof(*c.log));
    log_info("epoch_closed", "epoch=%lld scores=%zu acceptances=%zu", (long long)batch->epoch,
             c.n_scores, c.n_log);
    return E_OK;
}
