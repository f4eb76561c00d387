/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/verify.h"
#include "db/lane.h"
#include "keeper/state.h"
#include "lib/hash.h"
#include "lib/killpoint.h"
#include "lib/log.h"
#include "queue/post.h"
#include "server/blobs.h"
#include "server/pool.h"

/* Seconds that a pass waits for checks of responses that came before it. */
#define WAIT_S 10

/*
 * The checks of one response: read on a lane, judged on the pool, booked on a lane. No thread waits
 * for another. What is left undone by a crash or an error is adopted from the rows.
 */
struct check {
    struct app *app;
    struct arena *arena;
    struct uuid response;
    struct sql_response_load load;
    struct sql_verdict verdict;
    const struct sql_response_load_row *row;
    struct db_call call;
    struct pool_job job;
};

static void finish(struct check *c)
{
    struct keeper *k = c->app->keeper;

    arena_free(c->arena);
    free(c);
    atomic_fetch_sub(&k->checking, 1);
}

static void give_up(struct check *c, const char *why)
{
    log_warn("check_put_off", "reason=%s", why);
    finish(c);
}

/* On the lane's thread: the verdict is durable. */
static void booked(struct db_call *call)
{
    struct check *c = call->ctx;
    struct keeper *k = c->app->keeper;
    const struct sql_verdict_row *row = call->rows;

    KILLPOINT("v4");
    if (call->err.code != E_OK || call->n_rows != 1) {
        give_up(c, call->err.text);
        return;
    }
    if (text_is(row->outcome, "ok"))
        atomic_fetch_add(c->verdict.passed ? &k->passed : &k->rejected, 1);
    if (uuid_is_zero(row->task)) {
        finish(c);
        return;
    }
    if (text_is(row->status, "succeeded") || text_is(row->status, "failed"))
        post_closed(c->app->queue, row->source, row->task);
    else if (row->reopened)
        post_reopen(c->app->queue, row->source, row->task);
    else
        post_moved(c->app->queue, row->task);
    finish(c);
}

static void book(struct check *c, bool passed, const char *reason)
{
    c->verdict = (struct sql_verdict){
        .response = c->response,
        .passed = passed,
        .reason = text_of(reason),
        .wait_s = WAIT_S,
        .attempts_max = (int32_t)c->app->attempts_max,
    };
    c->call = (struct db_call){
        .stmt = SQL_VERDICT,
        .in = &c->verdict,
        .route = keeper_key(c->row->task),
        .conflict = keeper_key(c->row->task),
        .arena = c->arena,
        .done = booked,
        .ctx = c,
    };
    KILLPOINT("v2");
    db_submit(c->app->lanes, &c->call);
}

/* The bytes we hold are the bytes that were promised. A read error is nobody's fault: E_IO. */
static enum err_code check_bytes(const struct check *c, const struct output *o, struct err *err)
{
    struct sha256_stream *h;
    struct digest got;
    uint8_t *piece;
    int64_t total = 0;
    ssize_t n;
    int fd;
    enum err_code rc = blob_open(c->app->blobs, &o->sha256, &fd, NULL, err);

    if (rc == E_BLOB_NOT_FOUND)
        return err_set(err, E_DIGEST_MISMATCH, "output %.*s is not in the blob store",
                       (int)o->name.n, o->name.s);
    if (rc != E_OK)
        return rc;
    piece = arena_alloc(c->arena, 1 << 18);
    h = sha256_begin();
    while ((n = read(fd, piece, 1 << 18)) > 0 || (n < 0 && errno == EINTR)) {
        if (n <= 0)
            continue;
        sha256_add(h, piece, (size_t)n);
        total += n;
    }
    got = sha256_end(h);
    close(fd);
    if (n < 0)
        return err_set(err, E_IO, "a blob cannot be read");
    if (total != o->size)
        return err_set(err, E_DIGEST_MISMATCH, "output %.*s has %lld bytes, not %lld",
                       (int)o->name.n, o->name.s, (long long)total, (long long)o->size);
    if (!bytes_equal_ct(got.b, o->sha256.b, sizeof(got.b)))
        return err_set(err, E_DIGEST_MISMATCH, "output %.*s has other bytes than its digest",
                       (int)o->name.n, o->name.s);
    return E_OK;
}

static void copy_digest(struct digest *to, struct bytes from)
{
    if (from.n == sizeof(to->b))
        memcpy(to->b, from.p, sizeof(to->b));
}

static struct verify_in input_of(const struct check *c)
{
    const struct sql_response_load_row *r = c->row;
    struct verify_in in = {
        .domain = {.chain_id = c->app->chain_id, .contract = c->app->settlement},
        .task = r->task,
        .attempt = r->attempt,
        .epoch = (uint32_t)r->epoch,
        .manifest = r->manifest,
        .outputs = r->outputs,
        .signature = r->signature,
    };

    if (r->provider.n == sizeof(in.provider.b))
        memcpy(in.provider.b, r->provider.p, sizeof(in.provider.b));
    copy_digest(&in.manifest_hash, r->manifest_hash);
    copy_digest(&in.input_digest, r->input_digest);
    copy_digest(&in.output_digest, r->output_digest);
    return in;
}

static void judge(struct pool_job *job)
{
    struct check *c = (struct check *)((char *)job - offsetof(struct check, job));
    struct verify_in in = input_of(c);
    struct outputs *outputs = arena_alloc(c->arena, sizeof(*outputs));
    struct err err = {0};
    enum err_code rc = verify_response(&in, c->arena, outputs, &err);

    for (size_t i = 0; rc == E_OK && i < outputs->n; i++)
        rc = check_bytes(c, &outputs->items[i], &err);
    if (rc == E_OK) {
        book(c, true, "");
    } else if (err_info(rc)->blame == BLAME_CLIENT) {
        book(c, false, arena_printf(c->arena, "%s: %s", err_info(rc)->word, err.text));
    } else {
        give_up(c, err.text);
    }
}

/* On the lane's thread: the rows are here. */
static void loaded(struct db_call *call)
{
    struct check *c = call->ctx;

    KILLPOINT("v1");
    if (call->err.code != E_OK) {
        give_up(c, call->err.text);
        return;
    }
    c->row = call->rows;
    if (call->n_rows != 1 ||
        !(text_is(c->row->state, "checking") || text_is(c->row->state, "passed"))) {
        finish(c);
        return;
    }
    /* It passed before and waited for earlier checks: only the race is left to decide. */
    if (text_is(c->row->state, "passed")) {
        book(c, true, "");
        return;
    }
    c->job.run = judge;
    if (!pool_submit(c->app->pool, &c->job))
        give_up(c, "the pool is full");
}

void check_start(struct app *app, struct uuid response)
{
    struct keeper *k = app->keeper;
    struct check *c;

    if (k == NULL || atomic_load(&k->stopping))
        return;
    atomic_fetch_add(&k->checking, 1);
    c = calloc(1, sizeof(*c));
    if (c == NULL)
        abort();
    c->app = app;
    c->arena = arena_new();
    c->response = response;
    c->load.id = response;
    c->call = (struct db_call){
        .stmt = SQL_RESPONSE_LOAD,
        .in = &c->load,
        .route = keeper_key(response),
        .arena = c->arena,
        .done = loaded,
        .ctx = c,
    };
    db_submit(app->lanes, &c->call);
}
