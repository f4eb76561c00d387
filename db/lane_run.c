/* SPDX-License-Identifier: MIT */
#include "db/lane_run.h"

#include <time.h>

#include "db/decode.h"
#include "db/exec.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/log.h"

#define AGAIN_MAX        5
#define AGAIN_PAUSE_US   4000
#define UNKNOWN_WAIT_US  15000000LL
#define UNKNOWN_PAUSE_US 100000

int64_t lane_jitter_us(int64_t mean_us)
{
    uint32_t r;

    random_bytes(&r, sizeof(r));
    return mean_us / 2 + (int64_t)(r % (uint64_t)(mean_us + 1));
}

static void pause_us(int64_t us)
{
    struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

    (void)nanosleep(&t, NULL);
}

void lane_finish(struct lane *l, struct db_call *call, enum err_code code, const char *why)
{
    if (code) {
        err_set(&call->err, code, "%s: %s", sql_stmts[call->stmt].name, why);
        call->rows = NULL;
        call->n_rows = 0;
    } else {
        call->err = (struct err){.code = E_OK};
    }
    atomic_fetch_sub(&l->waiting, 1);
    atomic_fetch_add(&l->calls, 1);
    call->done(call);
}

static void fail_isolated(struct lane *l, struct db_call *call, const char *sqlstate,
                          const char *why)
{
    atomic_fetch_add(&l->isolated, 1);
    log_error("db_call_raised", "statement=%s sqlstate=%s message=%s", sql_stmts[call->stmt].name,
              sqlstate, why);
    lane_finish(l, call, E_INTERNAL, why);
}

static void fail_all(struct lane *l, struct db_call **calls, size_t n, enum err_code code)
{
    for (size_t i = 0; i < n; i++) {
        lane_finish(l, calls[i], code, l->link.why);
        calls[i] = NULL;
    }
}

/* ---- rows of a committed batch to their calls -------------------------------------------------
 */

struct delivery {
    struct db_call *call;
    size_t rows; /* that the result holds for it */
    struct err err;
};

static void deliver_row(const struct sql_stmt *s, const PGresult *res, int row, struct delivery *d)
{
    struct db_call *call = d->call;
    char *all = (char *)(uintptr_t)call->rows;

    if (!all) {
        all = arena_alloc(call->arena, d->rows * s->row_size);
        call->rows = all;
        call->n_rows = 0;
    }
    if (!d->err.code) {
        (void)!decode_row(s, res, row, call->arena, all + call->n_rows * s->row_size, &d->err);
        call->n_rows++;
    }
}

static void deliver(struct lane *l, struct db_call **calls, size_t n, const PGresult *res)
{
    const struct sql_stmt *s = &sql_stmts[calls[0]->stmt];
    static _Thread_local struct delivery to[LANE_BATCH_MAX];
    int rows = PQntuples(res);

    for (size_t i = 0; i < n; i++) {
        to[i] = (struct delivery){.call = calls[i]};
        calls[i]->rows = NULL;
        calls[i]->n_rows = 0;
    }
    for (int r = 0; r < rows; r++) {
        int32_t at = decode_call(s, res, r);

        if (at >= 0 && (size_t)at < n) {
            to[at].rows++;
        }
    }
    for (int r = 0; r < rows; r++) {
        int32_t at = decode_call(s, res, r);

        if (at >= 0 && (size_t)at < n) {
            deliver_row(s, res, r, &to[at]);
        }
    }
    for (size_t i = 0; i < n; i++) {
        calls[i] = NULL;
        if (to[i].rows == 0) {
            fail_isolated(l, to[i].call, "", "the statement returned no row for this call");
        } else if (to[i].err.code) {
            fail_isolated(l, to[i].call, "", to[i].err.text);
        } else {
            lane_finish(l, to[i].call, E_OK, NULL);
        }
    }
}

/* ---- writes -----------------------------------------------------------------------------------
 */

/* Whether any call may be committed already and is still worth waiting for. */
static bool owes_truth(struct db_call *const *calls, size_t n)
{
    int64_t now = clock_mono_us();

    for (size_t i = 0; i < n; i++) {
        if (calls[i]->unknown && now - calls[i]->since_us < UNKNOWN_WAIT_US) {
            return true;
        }
    }
    return false;
}

static enum exec_end write_once(struct lane *l, struct db_call **calls, size_t n)
{
    const void *in[LANE_BATCH_MAX] = {0};
    struct exec_batch b = {.stmt = &sql_stmts[calls[0]->stmt], .in = in, .n = n};
    enum exec_end end;

    for (size_t i = 0; i < n; i++) {
        in[i] = calls[i]->in;
    }
    end = exec_write(&l->link, &l->encoder, &b);
    atomic_fetch_add(&l->batches, 1);
    if (end == EXEC_DONE) {
        deliver(l, calls, n, b.rows);
        PQclear(b.rows);
    } else if (end == EXEC_LOST && b.commit_sent) {
        atomic_fetch_add(&l->lost_commits, 1);
        log_warn("db_commit_lost", "statement=%s calls=%zu message=%s", b.stmt->name, n,
                 l->link.why);
        for (size_t i = 0; i < n; i++) {
            calls[i]->unknown = true;
        }
    }
    return end;
}

/* @return false when the link is lost; what is not NULL in `calls` then waits for another. */
static bool write_calls(struct lane *l, struct db_call **calls, size_t n)
{
    enum exec_end end;
    int tries = 0;

    for (;;) {
        end = write_once(l, calls, n);
        if (end == EXEC_AGAIN && tries < AGAIN_MAX) {
            atomic_fetch_add(&l->retries, 1);
            pause_us(lane_jitter_us(AGAIN_PAUSE_US << tries++));
        } else if (end == EXEC_TWIN && tries == 0) {
            atomic_fetch_add(&l->retries, 1);
            tries++;
        } else if ((end == EXEC_AGAIN || end == EXEC_BUSY) && owes_truth(calls, n)) {
            /* The old backend may still hold the rows of the commit nobody heard of. */
            pause_us(lane_jitter_us(UNKNOWN_PAUSE_US));
        } else {
            break;
        }
    }
    switch (end) {
    case EXEC_DONE:
        return true;
    case EXEC_LOST:
        atomic_fetch_add(&l->retries, 1);
        return false;
    case EXEC_AGAIN:
    case EXEC_BUSY:
    case EXEC_SKIPPED:
        log_warn("db_busy", "statement=%s calls=%zu sqlstate=%s message=%s",
                 sql_stmts[calls[0]->stmt].name, n, l->link.sqlstate, l->link.why);
        fail_all(l, calls, n, E_BUSY);
        return true;
    case EXEC_TWIN:
    case EXEC_RAISED:
        break;
    }
    if (n == 1) {
        fail_isolated(l, calls[0], l->link.sqlstate, l->link.why);
        calls[0] = NULL;
        return true;
    }
    /* One of them is the bug: halves find it in a few rounds, and the others succeed meanwhile. */
    return write_calls(l, calls, n / 2) && write_calls(l, calls + n / 2, n - n / 2);
}

/* ---- reads ------------------------------------------------------------------------------------
 */

static void read_ended(struct lane *l, struct db_call **slot, struct exec_read *r)
{
    struct db_call *call = *slot;
    struct err err = {.code = E_OK};

    switch (r->end) {
    case EXEC_DONE:
        *slot = NULL;
        if (decode_rows(r->stmt, r->res, call->arena, &call->rows, &call->n_rows, &err)) {
            fail_isolated(l, call, "", err.text);
        } else {
            lane_finish(l, call, E_OK, NULL);
        }
        break;
    case EXEC_TWIN:
    case EXEC_RAISED:
        *slot = NULL;
        fail_isolated(l, call, l->link.sqlstate, l->link.why);
        break;
    case EXEC_AGAIN:
        atomic_fetch_add(&l->retries, 1);
        if (call->tries++ < AGAIN_MAX) {
            break;
        }
        *slot = NULL;
        lane_finish(l, call, E_BUSY, l->link.why);
        break;
    case EXEC_BUSY:
        *slot = NULL;
        lane_finish(l, call, E_BUSY, l->link.why);
        break;
    case EXEC_LOST:
    case EXEC_SKIPPED:
        break;
    }
    PQclear(r->res);
}

static bool read_calls(struct lane *l, struct db_call **calls, size_t n)
{
    struct exec_read reads[LANE_READS_MAX];
    enum exec_end end;

    for (size_t i = 0; i < n; i++) {
        reads[i] = (struct exec_read){.stmt = &sql_stmts[calls[i]->stmt], .in = calls[i]->in};
    }
    end = exec_reads(&l->link, &l->encoder, reads, n);
    atomic_fetch_add(&l->batches, 1);
    for (size_t i = 0; i < n; i++) {
        read_ended(l, &calls[i], &reads[i]);
    }
    return end == EXEC_DONE;
}

/* ---- the hand ---------------------------------------------------------------------------------
 */

static void close_gaps(struct lane *l)
{
    size_t kept = 0;

    for (size_t i = 0; i < l->n_hand; i++) {
        if (l->hand[i]) {
            l->hand[kept++] = l->hand[i];
        }
    }
    l->n_hand = kept;
}

/* A value that must be there and is not is a bug of the caller: no transaction needs to find it. */
static void refuse_missing(struct lane *l)
{
    for (size_t i = 0; i < l->n_hand; i++) {
        const char *missing = encode_missing(&sql_stmts[l->hand[i]->stmt], l->hand[i]->in);

        if (missing) {
            fail_isolated(l, l->hand[i], "22004", missing);
            l->hand[i] = NULL;
        }
    }
    close_gaps(l);
}

void lane_run_hand(struct lane *l)
{
    bool linked = true;

    refuse_missing(l);
    while (linked && l->n_hand > 0) {
        linked = l->class == SQL_CLASS_READ ? read_calls(l, l->hand, l->n_hand)
                                            : write_calls(l, l->hand, l->n_hand);
        close_gaps(l);
    }
    atomic_store(&l->healthy, linked);
}
