/* SPDX-License-Identifier: MIT */
#include "db/prepare.h"

#include <string.h>

#define PARAMS_MAX 256

unsigned sql_type_oid(enum sql_type type, bool array)
{
    static const unsigned scalar[] = {
        [SQL_TYPE_UUID] = 2950, [SQL_TYPE_INT4] = 23,  [SQL_TYPE_INT8] = 20, [SQL_TYPE_BOOL] = 16,
        [SQL_TYPE_TEXT] = 25,   [SQL_TYPE_BYTEA] = 17, [SQL_TYPE_WEI] = 25,  [SQL_TYPE_TIME] = 20,
    };
    static const unsigned vector[] = {
        [SQL_TYPE_UUID] = 2951, [SQL_TYPE_INT4] = 1007, [SQL_TYPE_INT8] = 1016,
        [SQL_TYPE_BOOL] = 1000, [SQL_TYPE_TEXT] = 1009, [SQL_TYPE_BYTEA] = 1001,
        [SQL_TYPE_WEI] = 1009,  [SQL_TYPE_TIME] = 1016,
    };

    return array ? vector[type] : scalar[type];
}

/* Timeouts in milliseconds: statement, lock. A hot lane gives up before its caller does. */
static const char *const LIMITS[][2] = {
    [LINK_READ] = {"2000", "1000"},   [LINK_WRITE] = {"4000", "2000"},
    [LINK_SLOW] = {"30000", "5000"},  [LINK_ALL] = {"30000", "5000"},
    [LINK_LISTEN] = {"1000", "1000"},
};

/*
 * One plan per statement, whatever the size of the batch: planning anew would cost more than
 * running. Hot plans never scan a table, because they were made while it was small.
 */
static const char SETTINGS[] =
    "SELECT set_config('statement_timeout', $1, false), set_config('lock_timeout', $2, false),"
    " set_config('idle_in_transaction_session_timeout', '30s', false),"
    " set_config('default_transaction_isolation', 'read committed', false),"
    " set_config('plan_cache_mode', 'force_generic_plan', false), set_config('jit', 'off', false),"
    " set_config('enable_seqscan', $3, false), set_config('TimeZone', 'UTC', false),"
    " current_setting('synchronous_commit')";

#define SETTINGS_SYNC_COLUMN 8

static const char *const OWN[][2] = {
    {LINK_BEGIN, "BEGIN"},
    {LINK_COMMIT, "COMMIT"},
    {LINK_ROLLBACK, "ROLLBACK"},
    {LINK_REPLAN, "DISCARD PLANS"},
    {LINK_TRY_LOCK, "SELECT pg_try_advisory_lock($1)"},
};

static bool wanted(const struct db_link *l, const struct sql_stmt *s)
{
    switch (l->use) {
    case LINK_READ:
        return s->class == SQL_CLASS_READ;
    case LINK_WRITE:
        return s->class == SQL_CLASS_WRITE;
    case LINK_SLOW:
        return s->class == SQL_CLASS_SLOW;
    case LINK_ALL:
        return true;
    case LINK_LISTEN:
        break;
    }
    return false;
}

static bool send_section(struct db_link *l, const struct sql_stmt *s, const struct sql_section *x)
{
    bool array = s->class != SQL_CLASS_READ;
    Oid types[PARAMS_MAX];

    for (size_t i = 0; i < x->n_params; i++) {
        types[i] = sql_type_oid(s->params[x->params[i]].type, array);
    }
    return PQsendPrepare(l->pg, x->name, x->text, (int)x->n_params, types) &&
           PQsendDescribePrepared(l->pg, x->name);
}

static bool send_all(struct db_link *l)
{
    bool hot = l->use == LINK_READ || l->use == LINK_WRITE;
    const char *values[] = {LIMITS[l->use][0], LIMITS[l->use][1], hot ? "off" : "on"};

    if (!PQsendQueryParams(l->pg, SETTINGS, 3, NULL, values, NULL, NULL, 0)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(OWN); i++) {
        if (!PQsendPrepare(l->pg, OWN[i][0], OWN[i][1], 0, NULL)) {
            return false;
        }
    }
    for (size_t i = 0; i < sql_stmt_count; i++) {
        const struct sql_stmt *s = &sql_stmts[i];

        for (size_t k = 0; wanted(l, s) && k < s->n_sections; k++) {
            if (!send_section(l, s, &s->sections[k])) {
                return false;
            }
        }
    }
    return link_sync(l);
}

/* Takes the next result and wants it good; what failed is told with its name. */
static enum err_code expect(struct db_link *l, int64_t deadline_us, const char *what,
                            PGresult **out, struct err *err)
{
    PGresult *res = link_result(l, deadline_us);
    ExecStatusType status = res ? PQresultStatus(res) : PGRES_FATAL_ERROR;
    enum err_code code;

    if (!res) {
        return err_set(err, E_DB_DOWN, "the database went away at %s: %s", what, l->why);
    }
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
        *out = res;
        return E_OK;
    }
    link_note(l, res);
    PQclear(res);
    /* 53, 57: full, shutting down or starting: not a matter of our statements. */
    code = strncmp(l->sqlstate, "53", 2) == 0 || strncmp(l->sqlstate, "57", 2) == 0 ? E_DB_DOWN
                                                                                    : E_CONFIG;
    return err_set(err, code, "%s: %s (%s)", what, l->why, l->sqlstate);
}

static enum err_code check_settings(struct db_link *l, int64_t deadline_us, struct err *err)
{
    PGresult *res = NULL;
    enum err_code code = expect(l, deadline_us, "session settings", &res, err);

    if (!code && strcmp(PQgetvalue(res, 0, SETTINGS_SYNC_COLUMN), "off") == 0) {
        code = err_set(err, E_CONFIG,
                       "synchronous_commit is off: acknowledged tasks could be lost; set it on");
    }
    PQclear(res);
    return code;
}

static enum err_code check_columns(const struct sql_stmt *s, const PGresult *res, struct err *err)
{
    if ((size_t)PQnfields(res) != s->n_columns) {
        return err_set(err, E_CONFIG, "%s returns %d columns in the database, %zu in db/sql",
                       s->name, PQnfields(res), s->n_columns);
    }
    for (size_t i = 0; i < s->n_columns; i++) {
        const struct sql_field *f = &s->columns[i];
        Oid oid = PQftype(res, (int)i);

        if (strcmp(PQfname(res, (int)i), f->name) != 0) {
            return err_set(err, E_CONFIG, "%s: column %zu is \"%s\" in the database, %s in db/sql",
                           s->name, i + 1, PQfname(res, (int)i), f->name);
        }
        if (oid != sql_type_oid(f->type, false)) {
            return err_set(err, E_CONFIG, "%s: column %s has type oid %u in the database, not %u",
                           s->name, f->name, oid, sql_type_oid(f->type, false));
        }
    }
    return E_OK;
}

static enum err_code check_params(const struct sql_stmt *s, const struct sql_section *x,
                                  const PGresult *res, struct err *err)
{
    bool array = s->class != SQL_CLASS_READ;

    if ((size_t)PQnparams(res) != x->n_params) {
        return err_set(err, E_CONFIG, "%s takes %d parameters, not %zu", x->name, PQnparams(res),
                       x->n_params);
    }
    for (size_t i = 0; i < x->n_params; i++) {
        const struct sql_field *f = &s->params[x->params[i]];

        if (PQparamtype(res, (int)i) != sql_type_oid(f->type, array)) {
            return err_set(err, E_CONFIG, "%s: parameter %s has another type in the database",
                           x->name, f->name);
        }
    }
    return E_OK;
}

static enum err_code check_section(struct db_link *l, const struct sql_stmt *s, size_t k,
                                   int64_t deadline_us, struct err *err)
{
    const struct sql_section *x = &s->sections[k];
    PGresult *res = NULL;
    enum err_code code = expect(l, deadline_us, x->name, &res, err);

    PQclear(res);
    res = NULL;
    if (!code) {
        code = expect(l, deadline_us, x->name, &res, err);
    }
    if (!code) {
        code = check_params(s, x, res, err);
    }
    if (!code && k == s->n_sections - 1) {
        code = check_columns(s, res, err);
    }
    PQclear(res);
    return code;
}

static enum err_code check_all(struct db_link *l, int64_t deadline_us, struct err *err)
{
    enum err_code code = check_settings(l, deadline_us, err);

    for (size_t i = 0; !code && i < ARRAY_LEN(OWN); i++) {
        PGresult *res = NULL;

        code = expect(l, deadline_us, OWN[i][0], &res, err);
        PQclear(res);
    }
    for (size_t i = 0; !code && i < sql_stmt_count; i++) {
        const struct sql_stmt *s = &sql_stmts[i];

        for (size_t k = 0; !code && wanted(l, s) && k < s->n_sections; k++) {
            code = check_section(l, s, k, deadline_us, err);
        }
    }
    return code;
}

enum err_code prepare_all(struct db_link *l, int64_t deadline_us, struct err *err)
{
    enum err_code code;

    if (!send_all(l)) {
        return err_set(err, E_DB_DOWN, "cannot prepare statements: %s",
                       l->pg ? PQerrorMessage(l->pg) : l->why);
    }
    code = check_all(l, deadline_us, err);
    if (!code && !link_synced(l)) {
        code = err_set(err, E_DB_DOWN, "the database went away while preparing: %s", l->why);
    }
    return code;
}
