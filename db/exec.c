/* SPDX-License-Identifier: MIT */
#include "db/exec.h"

#include <string.h>

#include "lib/clock.h"
#include "lib/killpoint.h"

static bool in_class(const char *sqlstate, const char *two)
{
    return strncmp(sqlstate, two, 2) == 0;
}

enum exec_end exec_classify(const char *sqlstate)
{
    if (strcmp(sqlstate, "40001") == 0 || strcmp(sqlstate, "40P01") == 0) {
        return EXEC_AGAIN;
    }
    if (strcmp(sqlstate, "23505") == 0) {
        return EXEC_TWIN;
    }
    if (strcmp(sqlstate, "55P03") == 0 || strcmp(sqlstate, "57014") == 0 ||
        in_class(sqlstate, "53")) {
        return EXEC_BUSY;
    }
    /*
     * The session or the server is ending (57, 08), became read-only by a failover (25), lost its
     * prepared statements (26) or has new column types behind them (0A): a new link may do better.
     */
    if (sqlstate[0] == '\0' || in_class(sqlstate, "57") || in_class(sqlstate, "08") ||
        in_class(sqlstate, "25") || in_class(sqlstate, "26") || strcmp(sqlstate, "40003") == 0 ||
        strcmp(sqlstate, "0A000") == 0) {
        return EXEC_LOST;
    }
    return EXEC_RAISED;
}

/* Takes one result: its meaning, and the result itself when it is good and wanted. */
static enum exec_end take(struct db_link *l, PGresult **out)
{
    /* Each step has the full time: the server's own timeouts are per step too. */
    PGresult *res = link_result(l, clock_mono_us() + l->answer_us);
    enum exec_end end = EXEC_DONE;

    if (!res) {
        return EXEC_LOST;
    }
    switch (PQresultStatus(res)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
        break;
    case PGRES_PIPELINE_ABORTED:
        end = EXEC_SKIPPED;
        break;
    default:
        link_note(l, res);
        end = exec_classify(l->sqlstate);
        break;
    }
    if (end == EXEC_DONE && out) {
        *out = res;
    } else {
        PQclear(res);
    }
    return end;
}

/* A transaction that raised stays open until it is told to end. */
static void roll_back(struct db_link *l)
{
    if (link_up(l) && PQtransactionStatus(l->pg) != PQTRANS_IDLE) {
        char state[sizeof(l->sqlstate)];
        char why[sizeof(l->why)];

        memcpy(state, l->sqlstate, sizeof(state));
        memcpy(why, l->why, sizeof(why));
        if (!link_send(l, LINK_ROLLBACK, NULL) || !link_sync(l) || take(l, NULL) != EXEC_DONE ||
            !link_synced(l)) {
            link_close(l);
        }
        memcpy(l->sqlstate, state, sizeof(state));
        memcpy(l->why, why, sizeof(why));
    }
}

static bool send_write(struct db_link *l, struct encoder *e, struct exec_batch *b)
{
    const struct sql_stmt *s = b->stmt;

    if (!link_send(l, LINK_BEGIN, NULL)) {
        return false;
    }
    for (size_t i = 0; i < s->n_sections; i++) {
        struct link_params p = encode_section(e, &s->sections[i]);

        if (!link_send(l, s->sections[i].name, &p)) {
            return false;
        }
    }
    /* From here on some bytes of COMMIT may be with the server, whatever we are told. */
    b->commit_sent = true;
    return link_send(l, LINK_COMMIT, NULL) && link_sync(l);
}

/* All steps' results; the work's rows go to *work, whatever the end. */
static enum exec_end take_write(struct db_link *l, const struct sql_stmt *s, PGresult **work)
{
    size_t steps = s->n_sections + 2;
    enum exec_end end = EXEC_DONE;

    for (size_t i = 0; i < steps && link_up(l); i++) {
        PGresult *res = NULL;
        enum exec_end step = take(l, &res);

        if (step == EXEC_DONE && i == steps - 1 && strcmp(PQcmdStatus(res), "COMMIT") != 0) {
            /* COMMIT of a failed transaction answers ROLLBACK, without an error. */
            link_fail(l, "25P02", "COMMIT did not commit");
            step = EXEC_RAISED;
        }
        if (i == s->n_sections) {
            *work = res;
        } else {
            PQclear(res);
        }
        if (end == EXEC_DONE) {
            end = step;
        }
    }
    return link_up(l) ? end : EXEC_LOST;
}

/* Named places for tests that kill the process; nothing in a normal build. */
static void point_commit_sent(const struct sql_stmt *s)
{
    if (strcmp(s->name, "task_submit") == 0) {
        KILLPOINT("g4");
    } else if (strcmp(s->name, "verdict") == 0) {
        KILLPOINT("v3");
    }
}

enum exec_end exec_write(struct db_link *l, struct encoder *e, struct exec_batch *b)
{
    enum exec_end end;

    b->rows = NULL;
    b->commit_sent = false;
    /* A link that died while idle is found here: nothing was sent, so nothing is unknown. */
    link_check(l);
    if (!link_refresh_plans(l, clock_mono_us())) {
        return EXEC_LOST;
    }
    if (encode_params(e, b->stmt, b->in, b->n, NULL)) {
        link_fail(l, "54000", "parameters are too large");
        return EXEC_RAISED;
    }
    if (!send_write(l, e, b)) {
        return EXEC_LOST;
    }
    point_commit_sent(b->stmt);
    end = take_write(l, b->stmt, &b->rows);
    if (end != EXEC_LOST && !link_synced(l)) {
        /* The results are complete, COMMIT's too: what they say holds although the link is gone. */
        link_close(l);
    }
    if (end == EXEC_DONE) {
        return end;
    }
    PQclear(b->rows);
    b->rows = NULL;
    if (end == EXEC_LOST) {
        link_close(l);
    }
    roll_back(l);
    return end;
}

static bool send_reads(struct db_link *l, struct encoder *e, struct exec_read *reads, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct sql_section *x = &reads[i].stmt->sections[0];
        struct link_params p;

        if (encode_params(e, reads[i].stmt, &reads[i].in, 1, NULL)) {
            link_fail(l, "54000", "parameters are too large");
            reads[i].end = EXEC_RAISED;
            continue;
        }
        p = encode_section(e, x);
        if (!link_send(l, x->name, &p)) {
            return false;
        }
    }
    return link_sync(l);
}

enum exec_end exec_reads(struct db_link *l, struct encoder *e, struct exec_read *reads, size_t n)
{
    int64_t now = clock_mono_us();

    for (size_t i = 0; i < n; i++) {
        reads[i].res = NULL;
        reads[i].end = EXEC_LOST;
    }
    if (!link_refresh_plans(l, now)) {
        return EXEC_LOST;
    }
    if (!send_reads(l, e, reads, n)) {
        return EXEC_LOST;
    }
    for (size_t i = 0; i < n && link_up(l); i++) {
        if (reads[i].end == EXEC_RAISED) {
            continue;
        }
        reads[i].end = take(l, &reads[i].res);
        if (reads[i].end == EXEC_LOST) {
            link_close(l);
        }
    }
    return link_up(l) && link_synced(l) ? EXEC_DONE : EXEC_LOST;
}
