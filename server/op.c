/* SPDX-License-Identifier: MIT */
#include "server/op.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/log.h"
#include "queue/thread.h"
#include "server/reply.h"
#include "server/state.h"
#include "server/stream.h"

/* ---- suspending ------------------------------------------------------------------------------ */

static void park(struct request *req)
{
    if (req->suspended)
        return;
    req->suspended = true;
    MHD_suspend_connection(req->mhd);
}

static void unpark(struct request *req)
{
    if (!req->suspended)
        return;
    req->suspended = false;
    MHD_resume_connection(req->mhd);
}

/* The client went away while we waited for work: nothing was taken for it, nothing is answered. */
static void give_up(struct request *req)
{
    req->stage = STAGE_GONE;
    reaper_cut(&req->server->reaper, req->conn);
    unpark(req);
}

/* ---- what a step named ------------------------------------------------------------------------
 */

static void step_done(struct completion *c)
{
    struct request *req = (struct request *)((char *)c - offsetof(struct request, completion));

    request_step(req, req->then);
}

static void post(struct request *req)
{
    loop_post(req->server->loop, &req->completion);
}

static void call_done(struct db_call *call)
{
    post(call->ctx);
}

static void start_call(struct request *req)
{
    db_submit(req->op.app->lanes, &req->call);
}

static void pool_run(struct pool_job *job)
{
    struct request *req = (struct request *)((char *)job - offsetof(struct request, job));

    req->work(&req->op);
    post(req);
}

static void start_pool(struct request *req)
{
    req->op.err = (struct err){.code = E_OK};
    req->job.run = pool_run;
    if (pool_submit(req->op.app->pool, &req->job))
        return;
    err_set(&req->op.err, E_BUSY, "the pool's queue is full");
    post(req);
}

static void queue_run(struct queue *queue, void *ctx)
{
    struct request *req = ctx;

    req->queue_work(&req->op, queue);
    post(req);
}

static void start_queue(struct request *req)
{
    req->op.err = (struct err){.code = E_OK};
    queue_post(req->op.app->queue, queue_run, req);
}

bool request_client_is_there(const struct request *req)
{
    char c;
    ssize_t n = recv(req->conn->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT);

    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR));
}

static void wait_woke(struct wait *w, enum wait_why why)
{
    struct request *req = (struct request *)((char *)w - offsetof(struct request, wait));

    if (!request_client_is_there(req)) {
        give_up(req);
        return;
    }
    req->op.woken_by_deadline = why == WAIT_DEADLINE;
    req->looked_us = clock_mono_us();
    request_step(req, req->then);
}

static void start_wait(struct request *req)
{
    int64_t now = clock_mono_us();

    if (req->server->drain != DRAIN_NO || req->wait.deadline_us <= now) {
        req->op.woken_by_deadline = true;
        post(req);
        return;
    }
    reaper_extend(&req->server->reaper, req->conn, req->wait.deadline_us);
    req->wait.wake = wait_woke;
    wait_begin(loop_bells(req->server->loop), &req->wait, req->topics, req->n_topics,
               req->looked_us, now);
}

/* ---- the runner -------------------------------------------------------------------------------
 */

static void start(struct request *req, enum op_next next)
{
    park(req);
    req->completion.run = step_done;
    switch (next) {
    case OP_CALL:
        start_call(req);
        return;
    case OP_POOL:
        start_pool(req);
        return;
    case OP_QUEUE:
        start_queue(req);
        return;
    default:
        start_wait(req);
        return;
    }
}

void request_step(struct request *req, op_step step)
{
    enum op_next next;

    req->stage = STAGE_RUNNING;
    if (req->call.ctx) { /* a database call came back */
        req->op.err = req->call.err;
        req->op.rows = req->call.rows;
        req->op.n_rows = req->call.n_rows;
        req->call.ctx = NULL;
    }
    next = step(&req->op);
    if (next == OP_REPLY || next == OP_MORE) {
        if (next == OP_REPLY && req->reply.status == 0)
            reply_problem(req, E_INTERNAL, "", NULL);
        req->stage = next == OP_MORE ? STAGE_BODY : STAGE_READY;
        unpark(req);
        return;
    }
    start(req, next);
}

void request_defer(struct request *req, void (*run)(void *arg), void *arg)
{
    struct cleanup *c = arena_alloc(req->op.arena, sizeof(*c));

    *c = (struct cleanup){.run = run, .arg = arg, .next = req->cleanups};
    req->cleanups = c;
}

/* ---- what operations call ---------------------------------------------------------------------
 */

enum op_next op_call(struct op *op, enum sql_id stmt, const void *in, uint64_t route,
                     uint64_t conflict, op_step then)
{
    struct request *req = request_of(op);

    req->then = then;
    req->looked_us = clock_mono_us();
    req->call = (struct db_call){
        .stmt = stmt,
        .in = in,
        .route = route,
        .conflict = conflict,
        .fair = op->who.account,
        .arena = op->arena,
        .done = call_done,
        .ctx = req,
    };
    return OP_CALL;
}

enum op_next op_pool(struct op *op, void (*work)(struct op *op), op_step then)
{
    struct request *req = request_of(op);

    req->then = then;
    req->work = work;
    return OP_POOL;
}

enum op_next op_queue(struct op *op, void (*work)(struct op *op, struct queue *queue), op_step then)
{
    struct request *req = request_of(op);

    req->then = then;
    req->queue_work = work;
    req->looked_us = clock_mono_us();
    return OP_QUEUE;
}

enum op_next op_wait(struct op *op, const uint64_t *topics, size_t n, int64_t deadline_us,
                     op_step then)
{
    struct request *req = request_of(op);

    if (n > WAIT_TOPICS_MAX)
        n = WAIT_TOPICS_MAX; /* the others are found by the tick */
    /* A long poll waits again every second: it must not grow. */
    if (n > req->topics_room) {
        req->topics = arena_alloc(op->arena, n * sizeof(*req->topics));
        req->wait.topics = arena_alloc(op->arena, n * sizeof(*req->wait.topics));
        req->topics_room = n;
    }
    if (n > 0)
        memcpy(req->topics, topics, n * sizeof(*topics));
    req->then = then;
    req->n_topics = n;
    req->wait.deadline_us = deadline_us;
    return OP_WAIT;
}

void op_defer(struct op *op, void (*run)(void *arg), void *arg)
{
    request_defer(request_of(op), run, arg);
}

int64_t op_content_length(const struct op *op)
{
    return op->request->guard.chunked ? -1 : op->request->guard.content_length;
}

/* ---- calls nobody waits for -------------------------------------------------------------------
 */

static void fire_done(struct db_call *call)
{
    if (call->err.code != E_OK)
        log_warn("fired_call_failed", "stmt=%s code=%s text=%s", sql_stmts[call->stmt].name,
                 err_info(call->err.code)->name, call->err.text);
    arena_free(call->arena); /* holds the call itself */
}

/* Texts and bytes inside `in` may live in a request that is over before the lane reads them. */
static void *copy_in(struct arena *arena, enum sql_id stmt, const void *in, size_t in_size)
{
    const struct sql_stmt *s = &sql_stmts[stmt];
    char *copy = arena_alloc(arena, in_size);

    memcpy(copy, in, in_size);
    for (size_t i = 0; i < s->n_params; i++) {
        void *member = copy + s->params[i].offset;

        if (s->params[i].type == SQL_TYPE_TEXT)
            *(struct text *)member = arena_text(arena, *(struct text *)member);
        else if (s->params[i].type == SQL_TYPE_BYTEA)
            *(struct bytes *)member = arena_bytes(arena, *(struct bytes *)member);
    }
    return copy;
}

void op_fire(struct app *app, enum sql_id stmt, const void *in, size_t in_size, uint64_t route,
             uint64_t conflict)
{
    struct arena *arena = arena_new();
    struct db_call *call = arena_alloc(arena, sizeof(*call));

    *call = (struct db_call){
        .stmt = stmt,
        .in = copy_in(arena, stmt, in, in_size),
        .route = route,
        .conflict = conflict,
        .arena = arena,
        .done = fire_done,
    };
    db_submit(app->lanes, call);
}

struct uuid app_new_id(struct app *app)
{
    uint8_t noise[10];

    (void)app;
    random_bytes(noise, sizeof(noise));
    return id_make(clock_wall_us() / 1000, noise);
}
