/* SPDX-License-Identifier: MIT */
#include "harness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/hash.h"

static void landed(struct db_call *call)
{
    struct flight *f = call->ctx;

    pthread_mutex_lock(&f->lock);
    if (--f->pending == 0) {
        pthread_cond_signal(&f->landed);
    }
    pthread_mutex_unlock(&f->lock);
}

struct flight *flight_new(enum sql_id stmt, size_t n)
{
    struct flight *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->landed, NULL);
    f->n = n;
    f->in_size = sql_stmts[stmt].in_size;
    f->calls = calloc(n, sizeof(*f->calls));
    f->in = calloc(n, f->in_size);
    assert_true(f->calls && f->in);
    for (size_t i = 0; i < n; i++) {
        f->calls[i] = (struct db_call){
            .stmt = stmt, .in = flight_in(f, i), .arena = arena_new(), .done = landed, .ctx = f};
    }
    return f;
}

void flight_free(struct flight *f)
{
    for (size_t i = 0; i < f->n; i++) {
        arena_free(f->calls[i].arena);
    }
    pthread_cond_destroy(&f->landed);
    pthread_mutex_destroy(&f->lock);
    free(f->calls);
    free(f->in);
    free(f);
}

void *flight_in(struct flight *f, size_t i)
{
    return f->in + i * f->in_size;
}

void flight_start(struct db_lanes *lanes, struct flight *f)
{
    f->pending = f->n;
    for (size_t i = 0; i < f->n; i++) {
        db_submit(lanes, &f->calls[i]);
    }
}

void flight_wait(struct flight *f)
{
    pthread_mutex_lock(&f->lock);
    while (f->pending > 0) {
        pthread_cond_wait(&f->landed, &f->lock);
    }
    pthread_mutex_unlock(&f->lock);
}

void flight_run(struct db_lanes *lanes, struct flight *f)
{
    flight_start(lanes, f);
    flight_wait(f);
}

size_t flight_count(const struct flight *f, enum err_code code)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n; i++) {
        n += f->calls[i].err.code == code;
    }
    return n;
}

struct uuid random_uuid(void)
{
    struct uuid u;

    random_bytes(&u, sizeof(u));
    return u;
}

struct flight *puts_new(size_t n)
{
    struct flight *f = flight_new(SQL_PUT, n);

    for (size_t i = 0; i < n; i++) {
        *(struct sql_put *)flight_in(f, i) = (struct sql_put){
            .id = random_uuid(), .who = 1 + (int64_t)(i % 100), .amount = wei_from_u64(i)};
    }
    return f;
}

const char *put_outcome(const struct flight *f, size_t i)
{
    const struct sql_put_row *row = f->calls[i].rows;

    return f->calls[i].n_rows == 1 ? row->outcome.s : "";
}

const char *server_url(void)
{
    const char *url = getenv("DATABASE_URL");

    if (!url) {
        fail_msg("DATABASE_URL is not set: run tests/db/run-engine");
    }
    return url;
}

static const char *part(PQconninfoOption *all, const char *key)
{
    for (PQconninfoOption *o = all; o->keyword; o++) {
        if (strcmp(o->keyword, key) == 0) {
            return o->val ? o->val : "";
        }
    }
    return "";
}

void server_address(char *host, size_t host_room, int *port)
{
    PQconninfoOption *all = PQconninfoParse(server_url(), NULL);

    assert_non_null(all);
    snprintf(host, host_room, "%s", part(all, "host"));
    *port = atoi(part(all, "port"));
    PQconninfoFree(all);
}

const char *url_through(int port)
{
    static char url[512];
    PQconninfoOption *all = PQconninfoParse(server_url(), NULL);

    assert_non_null(all);
    snprintf(
        url, sizeof(url),
        "host=127.0.0.1 port=%d user=%s password=%s dbname=%s sslmode=disable gssencmode=disable",
        port, part(all, "user"), part(all, "password"), part(all, "dbname"));
    PQconninfoFree(all);
    return url;
}

struct db_lanes *lanes_on(const char *url)
{
    struct db_lanes_config config = {
        .url = url, .write_lanes = 1, .read_lanes = 1, .slow_lanes = 1, .queue_max = 20000};
    struct db_lanes *lanes = NULL;
    struct err err = {.code = E_OK};

    if (db_lanes_open(&config, &lanes, &err)) {
        fail_msg("lanes do not open: %s", err.text);
    }
    return lanes;
}

PGconn *bystander(void)
{
    PGconn *pg = PQconnectdb(server_url());

    if (PQstatus(pg) != CONNECTION_OK) {
        fail_msg("%s", PQerrorMessage(pg));
    }
    return pg;
}

long long ask(PGconn *pg, const char *sql)
{
    PGresult *res = PQexec(pg, sql);
    long long n = 0;

    if (PQresultStatus(res) == PGRES_TUPLES_OK && PQntuples(res) > 0) {
        n = strtoll(PQgetvalue(res, 0, 0), NULL, 10);
    } else if (PQresultStatus(res) != PGRES_COMMAND_OK && PQresultStatus(res) != PGRES_TUPLES_OK) {
        fail_msg("%s: %s", sql, PQerrorMessage(pg));
    }
    PQclear(res);
    return n;
}

size_t items_present(PGconn *pg, const struct flight *f)
{
    size_t found = 0;

    for (size_t i = 0; i < f->n; i++) {
        const struct sql_put *in = f->calls[i].in;
        const char *value = (const char *)in->id.b;
        PGresult *res = PQexecParams(pg, "SELECT 1 FROM item WHERE id = $1", 1, (Oid[]){2950},
                                     &value, (int[]){16}, (int[]){1}, 0);

        assert_int_equal(PQresultStatus(res), PGRES_TUPLES_OK);
        found += (size_t)PQntuples(res);
        PQclear(res);
    }
    return found;
}
