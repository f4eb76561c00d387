/* SPDX-License-Identifier: MIT */
/*
 * From logs to rows. Kinds are booked one after the other because each leans on the one before: a
 * deposit needs its account, a claim finds what its batch made claimable. Every row is unique by
 * (transaction, log index), so a repeated range changes nothing. Where the chain's own order of a
 * batch, a voucher and a claim differs from ours, the books end the same: what is paid before it is
 * declared is an advance that the declaration absorbs.
 */
#include "indexer/read.h"
#include "lib/log.h"

/* Debtors looked at in one round; there are none in a year without a theft. */
#define DEBTORS_MAX 1000

/* Tasks that an exit closes in one transaction. */
#define CLOSE_MAX 200

static enum err_code run(struct indexer *ix, const struct booking *booking, const void *in,
                         size_t n, struct err *err)
{
    const struct sql_book_registered_row *row; /* of every book_… statement */
    const void *rows;
    size_t n_rows;
    enum err_code rc = db_run(ix->db, booking->stmt, in, n, ix->arena, &rows, &n_rows, err);

    if (rc != E_OK)
        return rc;
    row = rows;
    for (size_t i = 0; i < n_rows; i++)
        if (!text_is(row[i].outcome, "ok"))
            return err_set(err, err_by_word(row[i].outcome.s, row[i].outcome.n),
                           "%s: the chain tells of what the books do not know",
                           booking->kinds[0].event);
    return E_OK;
}

/* The kind of a log among those of one booking, NULL when it is another's. */
static const struct kind *kind_of(const struct indexer *ix, const struct booking *booking,
                                  const struct digest *topics, const struct rpc_log *log)
{
    for (size_t i = 0; i < booking->n_kinds; i++) {
        const struct kind *kind = &booking->kinds[i];
        const struct address *of = kind->of_vault ? &ix->vault : &ix->settlement;

        if (log->abi.n_topics > 0 &&
            memcmp(&log->abi.topics[0], &topics[i], sizeof(topics[i])) == 0 &&
            memcmp(&log->address, of, sizeof(*of)) == 0)
            return kind;
    }
    return NULL;
}

static enum err_code book_all(struct indexer *ix, const struct booking *booking,
                              const struct rpc_log *logs, size_t n, struct err *err)
{
    struct digest *topics = arena_alloc(ix->arena, booking->n_kinds * sizeof(*topics));
    uint8_t *in = arena_alloc(ix->arena, n * booking->in_size);
    size_t found = 0;

    for (size_t i = 0; i < booking->n_kinds; i++)
        topics[i] = abi_topic(booking->kinds[i].event);
    for (size_t i = 0; i < n; i++) {
        const struct kind *kind = kind_of(ix, booking, topics, &logs[i]);
        enum err_code rc = E_OK;

        if (kind)
            rc = kind->read(ix, kind, &logs[i], in + found++ * booking->in_size, err);
        if (rc != E_OK)
            return rc;
    }
    return found > 0 ? run(ix, booking, in, found, err) : E_OK;
}

/* Who got more than it was owed pays it back out of what it earns. */
static enum err_code recover(struct indexer *ix, struct err *err)
{
    struct sql_debt_recover in = {.max = DEBTORS_MAX};
    const struct sql_debt_recover_row *row;
    const void *rows;
    size_t n;
    enum err_code rc = db_run(ix->db, SQL_DEBT_RECOVER, &in, 1, ix->arena, &rows, &n, err);

    if (rc != E_OK)
        return rc;
    row = rows;
    if (row->recovered > 0)
        log_warn("recovered", "debtors=%lld", (long long)row->recovered);
    return E_OK;
}

/* One page of what an exit finds open. @n tasks looked at; 0: none is left */
static enum err_code close_some(struct indexer *ix, size_t *n, struct err *err)
{
    const struct sql_due_exits in = {.max = CLOSE_MAX};
    const struct sql_due_exits_row *due;
    struct sql_task_exit *calls;
    const void *rows;
    size_t n_rows;
    enum err_code rc = db_run(ix->db, SQL_DUE_EXITS, &in, 1, ix->arena, &rows, n, err);

    if (rc != E_OK || *n == 0)
        return rc;
    due = rows;
    calls = arena_alloc(ix->arena, *n * sizeof(*calls));
    for (size_t i = 0; i < *n; i++)
        calls[i].id = due[i].id;
    return db_run(ix->db, SQL_TASK_EXIT, calls, *n, ix->arena, &rows, &n_rows, err);
}

/*
 * An exit that has begun cancels all that is open. The cursor moves on after that only, and the
 * mark comes last, so whatever a crash leaves open is closed by the next round. None that is new
 * comes in between: book_exit_begun has seen to it.
 */
static enum err_code close_open(struct indexer *ix, struct err *err)
{
    const struct sql_exit_state in = {.one = true};
    const struct sql_exit_closed mark = {.one = true};
    const struct sql_exit_state_row *state;
    const void *rows;
    size_t n;
    size_t closed = 0;
    enum err_code rc = db_run(ix->db, SQL_EXIT_STATE, &in, 1, ix->arena, &rows, &n, err);

    if (rc != E_OK || n == 0)
        return rc;
    state = rows;
    if (state->closed)
        return E_OK;
    do {
        rc = close_some(ix, &n, err);
        closed += n;
    } while (rc == E_OK && n > 0);
    if (rc == E_OK)
        rc = db_run(ix->db, SQL_EXIT_CLOSED, &mark, 1, ix->arena, &rows, &n, err);
    if (rc == E_OK)
        log_warn("exit_begun", "tasks_closed=%zu", closed);
    return rc;
}

enum err_code indexer_book(struct indexer *ix, const struct rpc_log *logs, size_t n,
                           struct err *err)
{
    enum err_code rc;

    for (size_t i = 0; i < booking_count; i++) {
        rc = book_all(ix, &bookings[i], logs, n, err);
        if (rc != E_OK)
            return rc;
    }
    rc = close_open(ix, err);
    return rc == E_OK ? recover(ix, err) : rc;
}
