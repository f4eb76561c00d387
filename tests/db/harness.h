/* SPDX-License-Identifier: MIT */
#ifndef TESTS_DB_HARNESS_H
#define TESTS_DB_HARNESS_H

#include <libpq-fe.h>
#include <pthread.h>
#include <stdbool.h>

#include "db/lane.h"

/** Calls with their parameters, and a way to wait for all of them. */
struct flight {
    pthread_mutex_t lock;
    pthread_cond_t landed;
    size_t pending;
    size_t n;
    struct db_call *calls;
    char *in; /**< parameter structs, one after another */
    size_t in_size;
};

/** `n` calls of one statement; arenas made, parameters zeroed. */
struct flight *flight_new(enum sql_id stmt, size_t n);
void flight_free(struct flight *f);
/** Parameters of call i. */
void *flight_in(struct flight *f, size_t i);
/** Submit all; does not wait. */
void flight_start(struct db_lanes *lanes, struct flight *f);
/** Until every call is done. */
void flight_wait(struct flight *f);
/** Submit and wait. */
void flight_run(struct db_lanes *lanes, struct flight *f);
/** How many ended with this code. */
size_t flight_count(const struct flight *f, enum err_code code);

/** `n` puts with fresh random ids on who 1..100. */
struct flight *puts_new(size_t n);
/** Outcome word of put i. */
const char *put_outcome(const struct flight *f, size_t i);

struct uuid random_uuid(void);

/** DATABASE_URL of the private server; fails the test when it is not set. */
const char *server_url(void);
/** The same database through 127.0.0.1:port; static buffer. */
const char *url_through(int port);
/** host and port of the server, for a proxy. */
void server_address(char *host, size_t host_room, int *port);

/** Lanes of one connection a class. */
struct db_lanes *lanes_on(const char *url);
/** A plain connection beside the engine, to look and to disturb. */
PGconn *bystander(void);
/** Run SQL there; the first column of the first row as a number, 0 when there is none. */
long long ask(PGconn *pg, const char *sql);
/** How many items exist with the ids of the flight. */
size_t items_present(PGconn *pg, const struct flight *f);

#endif
