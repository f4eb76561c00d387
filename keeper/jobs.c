/* SPDX-License-Identifier: MIT */
#include "keeper/state.h"
#include "lib/killpoint.h"
#include "queue/post.h"

#define PAGE    200
#define CHECK_S 30

/* Both find (id, source) and close by (id) with (call, outcome): one way for the two. */
_Static_assert(sizeof(struct sql_due_expiries) == sizeof(struct sql_due_exits) &&
                   sizeof(struct sql_due_expiries_row) == sizeof(struct sql_due_exits_row) &&
                   sizeof(struct sql_task_expire) == sizeof(struct sql_task_exit) &&
                   sizeof(struct sql_task_expire_row) == sizeof(struct sql_task_exit_row),
               "row shapes differ");

static enum err_code close_due(struct keeper *k, enum sql_id find, enum sql_id shut,
                               atomic_uint_fast64_t *counter, struct err *err)
{
    const struct sql_due_expiries in = {.max = PAGE};
    const struct sql_due_expiries_row *due;
    const struct sql_task_expire_row *done;
    struct sql_task_expire *calls;
    const void *rows;
    size_t n;
    size_t n_done;
    enum err_code rc;

    do {
        rc = db_run(k->conn, find, &in, 1, k->arena, &rows, &n, err);
        if (rc != E_OK || n == 0)
            return rc;
        due = rows;
        KILLPOINT("o1");
        calls = arena_alloc(k->arena, n * sizeof(*calls));
        for (size_t i = 0; i < n; i++)
            calls[i].id = due[i].id;
        rc = db_run(k->conn, shut, calls, n, k->arena, &rows, &n_done, err);
        if (rc != E_OK)
            return rc;
        KILLPOINT("o2");
        done = rows;
        for (size_t i = 0; i < n_done; i++) {
            size_t at = (size_t)done[i].call;

            /* Another gateway may have closed it; its slots go either way. */
            post_closed(k->app->queue, due[at].source, due[at].id);
            if (text_is(done[i].outcome, "ok"))
                atomic_fetch_add(counter, 1);
        }
        KILLPOINT("o3");
    } while (n == PAGE);
    return E_OK;
}

enum err_code job_expiries(struct keeper *k, struct err *err)
{
    return close_due(k, SQL_DUE_EXPIRIES, SQL_TASK_EXPIRE, &k->expired, err);
}

/* The indexer closes what an exit finds open; should it die in the middle, the rest is closed here.
 */
enum err_code job_exits(struct keeper *k, struct err *err)
{
    return close_due(k, SQL_DUE_EXITS, SQL_TASK_EXIT, &k->exited, err);
}

size_t lapse_batch(const struct app *app, struct sql_due_leases_row *left, size_t *n_left,
                   struct sql_attempt_end *calls)
{
    size_t n = 0;
    size_t kept = 0;
    struct uuid tasks[PAGE];

    for (size_t i = 0; i < *n_left; i++) {
        bool twin = false;

        for (size_t j = 0; j < n && !twin; j++)
            twin = uuid_eq(tasks[j], left[i].task);
        if (twin) {
            left[kept++] = left[i];
            continue;
        }
        tasks[n] = left[i].task;
        calls[n++] = (struct sql_attempt_end){
            .id = left[i].id,
            .how = text_of("lapsed"),
            .code = text_of("lease_lapsed"),
            .message = text_of("no heartbeat came before the lease ended"),
            .attempts_max = (int32_t)app->attempts_max,
        };
    }
    *n_left = kept;
    return n;
}

static enum err_code lapse(struct keeper *k, struct sql_due_leases_row *left, size_t n_left,
                           struct err *err)
{
    while (n_left > 0) {
        struct sql_attempt_end *calls = arena_alloc(k->arena, n_left * sizeof(*calls));
        size_t n = lapse_batch(k->app, left, &n_left, calls);
        const struct sql_attempt_end_row *done;
        const void *rows;
        size_t n_done;
        enum err_code rc =
            db_run(k->conn, SQL_ATTEMPT_END, calls, n, k->arena, &rows, &n_done, err);

        if (rc != E_OK)
            return rc;
        KILLPOINT("o2");
        done = rows;
        for (size_t i = 0; i < n_done; i++) {
            if (!text_is(done[i].outcome, "ok"))
                continue;
            atomic_fetch_add(&k->lapsed, 1);
            if (done[i].reopened)
                post_reopen(k->app->queue, done[i].source, done[i].task);
            else
                post_moved(k->app->queue, done[i].task);
        }
    }
    return E_OK;
}

enum err_code job_leases(struct keeper *k, struct err *err)
{
    const struct sql_due_leases in = {.max = PAGE};
    const void *rows;
    size_t n;
    enum err_code rc;

    do {
        struct sql_due_leases_row *left;

        rc = db_run(k->conn, SQL_DUE_LEASES, &in, 1, k->arena, &rows, &n, err);
        if (rc != E_OK || n == 0)
            return rc;
        KILLPOINT("o1");
        left = arena_alloc(k->arena, n * sizeof(*left));
        memcpy(left, rows, n * sizeof(*left));
        rc = lapse(k, left, n, err);
    } while (rc == E_OK && n == PAGE);
    return rc;
}

enum err_code job_checks(struct keeper *k, struct err *err)
{
    const struct sql_due_checks in = {.max = PAGE};
    const struct sql_due_checks_row *due;
    const struct sql_check_adopt_row *mine;
    struct sql_check_adopt *calls;
    const void *rows;
    size_t n;
    enum err_code rc = db_run(k->conn, SQL_DUE_CHECKS, &in, 1, k->arena, &rows, &n, err);

    if (rc != E_OK || n == 0)
        return rc;
    due = rows;
    calls = arena_alloc(k->arena, n * sizeof(*calls));
    for (size_t i = 0; i < n; i++)
        calls[i] = (struct sql_check_adopt){.id = due[i].id, .check_s = CHECK_S};
    rc = db_run(k->conn, SQL_CHECK_ADOPT, calls, n, k->arena, &rows, &n, err);
    if (rc != E_OK)
        return rc;
    mine = rows;
    for (size_t i = 0; i < n; i++) {
        if (!text_is(mine[i].outcome, "ok"))
            continue;
        atomic_fetch_add(&k->adopted, 1);
        check_start(k->app, due[mine[i].call].id);
    }
    return E_OK;
}

enum err_code job_masters(struct keeper *k, struct err *err)
{
    const struct sql_provider_adopt_masters in = {.max = PAGE};
    const void *rows;
    size_t n;

    return db_run(k->conn, SQL_PROVIDER_ADOPT_MASTERS, &in, 1, k->arena, &rows, &n, err);
}

enum err_code job_prune(struct keeper *k, struct err *err)
{
    const struct sql_idempotency_prune in = {.max = 1000};
    const struct sql_idempotency_prune_row *done;
    const void *rows;
    size_t n;
    int rounds = 0;
    enum err_code rc;

    do {
        rc = db_run(k->conn, SQL_IDEMPOTENCY_PRUNE, &in, 1, k->arena, &rows, &n, err);
        done = rows;
    } while (rc == E_OK && n == 1 && done->done == 1000 && ++rounds < 50);
    return rc;
}
