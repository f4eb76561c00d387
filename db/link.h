/* SPDX-License-Identifier: MIT */
#ifndef DB_LINK_H
#define DB_LINK_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "db/desc.h"
#include "lib/err.h"

/*
 * One PostgreSQL connection, always in pipeline mode and never blocking without a deadline. For one
 * thread. Every wait that fails closes the link: what the server did with the last transaction is
 * then unknown, and the callers above run it again.
 */

/** What a link is for: decides its timeouts and which statements it prepares. */
enum link_use {
    LINK_READ,
    LINK_WRITE,
    LINK_SLOW,
    LINK_ALL,   /**< blocking connections: every statement, slow timeouts */
    LINK_LISTEN /**< no statement of ours */
};

/** Prepared names of the engine's own statements. */
#define LINK_BEGIN    "ogpu.begin"
#define LINK_COMMIT   "ogpu.commit"
#define LINK_ROLLBACK "ogpu.rollback"
#define LINK_REPLAN   "ogpu.replan"
#define LINK_TRY_LOCK "ogpu.try_lock"

struct db_link {
    const char *url;
    enum link_use use;
    char name[32];        /**< application_name */
    PGconn *pg;           /**< NULL: down */
    uint64_t generation;  /**< counts connects; session state (advisory locks) dies with each */
    int64_t answer_us;    /**< how long one round trip may take */
    int64_t replan_at_us; /**< when cached plans are thrown away next */
    char sqlstate[6];     /**< of the last error the server told, "" when the link broke */
    char why[160];        /**< its primary message: no row values */
};

/** Zero state; `url` is borrowed for the life of the link. */
void link_init(struct db_link *l, const char *url, enum link_use use, int number);

/**
 * Connect, set the session's limits, prepare and check every statement of the use.
 *
 * Waits at most a few seconds.
 *
 * @return E_DB_DOWN; E_CONFIG when a statement does not fit the database or synchronous_commit is
 * off
 */
MUST_CHECK enum err_code link_open(struct db_link *l, struct err *err);

/** Drop the connection, if any. */
void link_close(struct db_link *l);

static inline bool link_up(const struct db_link *l)
{
    return l->pg != NULL;
}

/** Parameters of one execution, in binary. */
struct link_params {
    int n;
    const char *const *values;
    const int *lengths;
    const int *formats;
};

/** Queue one execution of a prepared statement. @return false: the link is closed. */
bool link_send(struct db_link *l, const char *prepared, const struct link_params *params);

/** Queue the end of a pipeline. @return false: the link is closed. */
bool link_sync(struct db_link *l);

/**
 * The next statement's result, waited for until `deadline_us` (monotonic).
 *
 * @return owned by the caller (PQclear); NULL when the link broke or the time is over: then closed
 */
PGresult *link_result(struct db_link *l, int64_t deadline_us);

/** Take the end of the pipeline. @return false: the link is closed. */
bool link_synced(struct db_link *l);

/** Remember SQLSTATE and message of a failed result in the link. */
void link_note(struct db_link *l, const PGresult *res);

/** Record an error of our own in the server's form. */
void link_fail(struct db_link *l, const char *sqlstate, const char *why);

/** One empty round trip. @return false: the link is closed. */
bool link_ping(struct db_link *l);

/** Notice a connection that the server closed meanwhile, without a round trip. */
void link_check(struct db_link *l);

/** Throw away cached plans when they are old: tables grow, plans made for empty ones do not. */
bool link_refresh_plans(struct db_link *l, int64_t now_us);

#endif
