/* SPDX-License-Identifier: MIT */
#include "db/link.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "db/prepare.h"
#include "lib/clock.h"

#define SECOND_US     1000000LL
#define REPLAN_US     (2 * SECOND_US)
#define OPEN_LIMIT_US (5 * SECOND_US)

static const int64_t ANSWER_US[] = {
    [LINK_READ] = 4 * SECOND_US, [LINK_WRITE] = 5 * SECOND_US,  [LINK_SLOW] = 35 * SECOND_US,
    [LINK_ALL] = 35 * SECOND_US, [LINK_LISTEN] = 1 * SECOND_US,
};

static const char *const USE_NAMES[] = {
    [LINK_READ] = "read", [LINK_WRITE] = "write",   [LINK_SLOW] = "slow",
    [LINK_ALL] = "conn",  [LINK_LISTEN] = "listen",
};

void link_init(struct db_link *l, const char *url, enum link_use use, int number)
{
    *l = (struct db_link){.url = url, .use = use, .answer_us = ANSWER_US[use]};
    snprintf(l->name, sizeof(l->name), "ogpu %s %d", USE_NAMES[use], number);
}

void link_close(struct db_link *l)
{
    if (l->pg) {
        PQfinish(l->pg);
        l->pg = NULL;
    }
}

static void keep_first_line(struct db_link *l, const char *text)
{
    size_t n = strcspn(text, "\n");

    snprintf(l->why, sizeof(l->why), "%.*s", (int)(n < sizeof(l->why) ? n : sizeof(l->why) - 1),
             text);
}

/* The link is of no more use; says why for whoever asks. */
static void lose(struct db_link *l, const char *why)
{
    if (l->pg) {
        const char *said = PQerrorMessage(l->pg);

        keep_first_line(l, why ? why : said);
        l->sqlstate[0] = '\0';
        link_close(l);
    }
}

void link_note(struct db_link *l, const PGresult *res)
{
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY);

    snprintf(l->sqlstate, sizeof(l->sqlstate), "%s", state ? state : "");
    keep_first_line(l, text ? text : PQresultErrorMessage(res));
}

void link_fail(struct db_link *l, const char *sqlstate, const char *why)
{
    snprintf(l->sqlstate, sizeof(l->sqlstate), "%s", sqlstate);
    keep_first_line(l, why);
}

static enum err_code connect_pg(struct db_link *l, struct err *err)
{
    /* Behind dbname, so that the URL cannot undo what the engine relies on. */
    const char *keys[] = {"dbname",
                          "application_name",
                          "target_session_attrs",
                          "connect_timeout",
                          "tcp_user_timeout",
                          "keepalives",
                          "keepalives_idle",
                          "keepalives_interval",
                          "keepalives_count",
                          "client_encoding",
                          NULL};
    const char *values[] = {l->url, l->name, "read-write", "2",    "5000", "1",
                            "5",    "2",     "2",          "UTF8", NULL};

    l->pg = PQconnectdbParams(keys, values, 1);
    if (!l->pg || PQstatus(l->pg) != CONNECTION_OK) {
        lose(l, NULL);
        return err_set(err, E_DB_DOWN, "cannot connect to the database: %s", l->why);
    }
    if (PQsetnonblocking(l->pg, 1) != 0 || !PQenterPipelineMode(l->pg)) {
        lose(l, NULL);
        return err_set(err, E_DB_DOWN, "cannot pipeline: %s", l->why);
    }
    return E_OK;
}

enum err_code link_open(struct db_link *l, struct err *err)
{
    enum err_code code;

    link_close(l);
    code = connect_pg(l, err);
    if (!code) {
        code = prepare_all(l, clock_mono_us() + OPEN_LIMIT_US, err);
    }
    if (code) {
        link_close(l);
        return code;
    }
    l->generation++;
    l->replan_at_us = clock_mono_us() + REPLAN_US;
    return E_OK;
}

bool link_send(struct db_link *l, const char *prepared, const struct link_params *params)
{
    static const struct link_params none;
    const struct link_params *p = params ? params : &none;

    if (!l->pg) {
        return false;
    }
    if (!PQsendQueryPrepared(l->pg, prepared, p->n, p->values, p->lengths, p->formats, 1)) {
        lose(l, NULL);
        return false;
    }
    return true;
}

bool link_sync(struct db_link *l)
{
    if (!l->pg) {
        return false;
    }
    if (!PQpipelineSync(l->pg)) {
        lose(l, NULL);
        return false;
    }
    return true;
}

/* Until a result is complete; writes what is still unsent meanwhile. */
static bool wait_result(struct db_link *l, int64_t deadline_us)
{
    for (;;) {
        int flushed = PQflush(l->pg);
        struct pollfd p = {.fd = PQsocket(l->pg)};
        int64_t left;

        if (flushed < 0) {
            /* The server may have said why before it hung up. */
            (void)PQconsumeInput(l->pg);
        }
        if (!PQisBusy(l->pg)) {
            return true;
        }
        if (flushed < 0) {
            lose(l, NULL);
            return false;
        }
        left = (deadline_us - clock_mono_us() + 999) / 1000;
        if (left <= 0) {
            lose(l, "no answer in time");
            return false;
        }
        p.events = (short)(flushed ? POLLIN | POLLOUT : POLLIN);
        if (poll(&p, 1, (int)left) > 0 && (p.revents & ~POLLOUT) && !PQconsumeInput(l->pg)) {
            lose(l, NULL);
            return false;
        }
    }
}

PGresult *link_result(struct db_link *l, int64_t deadline_us)
{
    PGresult *res;

    if (!l->pg || !wait_result(l, deadline_us)) {
        return NULL;
    }
    res = PQgetResult(l->pg);
    if (!res || PQstatus(l->pg) == CONNECTION_BAD) {
        PQclear(res);
        lose(l, NULL);
        return NULL;
    }
    if (PQresultStatus(res) != PGRES_PIPELINE_SYNC) {
        PGresult *end = wait_result(l, deadline_us) ? PQgetResult(l->pg) : NULL;

        if (end || !l->pg) {
            PQclear(end);
            PQclear(res);
            lose(l, "two results where one was expected");
            return NULL;
        }
    }
    return res;
}

bool link_synced(struct db_link *l)
{
    PGresult *res = link_result(l, clock_mono_us() + l->answer_us);
    bool ok = res && PQresultStatus(res) == PGRES_PIPELINE_SYNC;

    PQclear(res);
    if (!ok) {
        lose(l, "the pipeline is out of step");
    }
    return ok;
}

bool link_ping(struct db_link *l)
{
    return link_sync(l) && link_synced(l);
}

void link_check(struct db_link *l)
{
    if (l->pg && (!PQconsumeInput(l->pg) || PQstatus(l->pg) == CONNECTION_BAD)) {
        lose(l, NULL);
    }
}

bool link_refresh_plans(struct db_link *l, int64_t now_us)
{
    PGresult *res;

    if (now_us < l->replan_at_us) {
        return true;
    }
    l->replan_at_us = now_us + REPLAN_US;
    if (!link_send(l, LINK_REPLAN, NULL) || !link_sync(l)) {
        return false;
    }
    res = link_result(l, now_us + l->answer_us);
    PQclear(res);
    return res && link_synced(l);
}
