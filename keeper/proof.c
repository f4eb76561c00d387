/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "core/gpu_proof.h"
#include "db/lane.h"
#include "keeper/state.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "server/pool.h"

/* Seconds after which another gateway takes a proof over; the largest takes a core seconds. */
#define TAKE_S 120

/* A device that passed is asked again after six hours and up to eighteen more, unforeseeably. */
#define AGAIN_S  21600
#define SPREAD_S 64800

#define PAGE 200

/*
 * One proof that is checked on this gateway's pool. One at a time: a proof costs a core far longer
 * than anything else the pool does, and nobody waits for it on a connection.
 */
struct proving {
    struct app *app;
    struct arena *arena;
    struct sql_gpu_challenge_verdict verdict;
    struct gpu_proof_shape shape;
    struct digest seed;
    struct digest draw;
    struct bytes opened;
    struct db_call call;
    struct pool_job job;
};

static void finish(struct proving *p)
{
    struct keeper *k = p->app->keeper;

    arena_free(p->arena);
    free(p);
    atomic_store(&k->proving, false);
    atomic_fetch_sub(&k->checking, 1);
}

static void booked(struct db_call *call)
{
    struct proving *p = call->ctx;

    if (call->err.code != E_OK)
        log_warn("proof_put_off", "reason=%s", call->err.text);
    finish(p);
}

static int64_t again_s(void)
{
    uint32_t r;

    random_bytes(&r, sizeof(r));
    return AGAIN_S + r % SPREAD_S;
}

static void judge(struct pool_job *job)
{
    struct proving *p = (struct proving *)((char *)job - offsetof(struct proving, job));
    struct gpu_proof_row rows[GPU_PROOF_OPENED];
    struct err err = {0};
    enum err_code rc = gpu_proof_read(&p->shape, &p->draw, p->opened, rows, &err);

    if (rc == E_OK)
        rc = gpu_proof_check_rows(&p->shape, &p->seed, &p->draw, rows, &err);
    if (rc != E_OK && err_info(rc)->blame != BLAME_CLIENT) {
        log_warn("proof_put_off", "reason=%s", err.text);
        finish(p);
        return;
    }
    if (rc != E_OK)
        p->verdict.reason = text_of(arena_printf(p->arena, "%s", err.text));
    p->verdict.again_s = again_s();
    p->call = (struct db_call){
        .stmt = SQL_GPU_CHALLENGE_VERDICT,
        .in = &p->verdict,
        .route = keeper_key(p->verdict.id),
        .conflict = keeper_key(p->verdict.id),
        .arena = p->arena,
        .done = booked,
        .ctx = p,
    };
    db_submit(p->app->lanes, &p->call);
}

static void copy_digest(struct digest *to, struct bytes from)
{
    if (from.n == sizeof(to->b))
        memcpy(to->b, from.p, sizeof(to->b));
}

static void start(struct keeper *k, const struct sql_gpu_challenge_take_row *row)
{
    struct proving *p = calloc(1, sizeof(*p));

    if (p == NULL)
        abort();
    p->app = k->app;
    p->arena = arena_new();
    p->verdict.id = row->id;
    p->shape = (struct gpu_proof_shape){(uint32_t)row->rows, (uint32_t)row->inner_dim,
                                        (uint32_t)row->cols};
    copy_digest(&p->seed, row->seed);
    copy_digest(&p->draw, row->draw);
    p->opened = arena_bytes(p->arena, row->opened);
    p->job.run = judge;
    atomic_store(&k->proving, true);
    atomic_fetch_add(&k->checking, 1);
    if (!pool_submit(k->app->pool, &p->job)) {
        log_warn("proof_put_off", "reason=the pool is full");
        finish(p);
    }
}

enum err_code job_proofs(struct keeper *k, struct err *err)
{
    const struct sql_gpu_challenge_lapse lapse = {.max = PAGE};
    const struct sql_gpu_challenge_take take = {.check_s = TAKE_S};
    const struct sql_gpu_challenge_take_row *row;
    const void *rows;
    size_t n;
    enum err_code rc =
        db_run(k->conn, SQL_GPU_CHALLENGE_LAPSE, &lapse, 1, k->arena, &rows, &n, err);

    if (rc != E_OK || atomic_load(&k->proving))
        return rc;
    rc = db_run(k->conn, SQL_GPU_CHALLENGE_TAKE, &take, 1, k->arena, &rows, &n, err);
    row = rows;
    if (rc == E_OK && n == 1 && !uuid_is_zero(row->id))
        start(k, row);
    return rc;
}
