/* SPDX-License-Identifier: MIT */
#ifndef DB_EXEC_H
#define DB_EXEC_H

#include <libpq-fe.h>
#include <stddef.h>

#include "db/desc.h"
#include "db/encode.h"
#include "db/link.h"

/** How one execution ended. Only EXEC_LOST leaves open whether it happened. */
enum exec_end {
    EXEC_DONE,
    EXEC_AGAIN, /**< 40001, 40P01: undone by the server, may be repeated whole */
    EXEC_TWIN,  /**< 23505: undone; someone wrote the row meanwhile, a fresh snapshot will see it */
    EXEC_BUSY,  /**< lock or statement timeout, resources: undone, later */
    EXEC_RAISED, /**< any other error: undone, and our bug */
    EXEC_LOST,   /**< the link broke: not done or done, unknown when COMMIT was on its way */
    EXEC_SKIPPED /**< reads: an earlier one of the pipeline raised, this one never ran */
};

/** What an SQLSTATE means for the caller (PostgreSQL 15, appendix A). */
enum exec_end exec_classify(const char *sqlstate);

/** One read of a pipeline. */
struct exec_read {
    const struct sql_stmt *stmt;
    const void *in;
    PGresult *res; /**< out: owned by the caller when EXEC_DONE, else NULL */
    enum exec_end end;
};

/**
 * Run reads in one round trip, each with a snapshot of its own. After one that raised the rest are
 * skipped: run them again.
 *
 * @return EXEC_DONE (see each), EXEC_LOST
 */
enum exec_end exec_reads(struct db_link *l, struct encoder *e, struct exec_read *reads, size_t n);

/** One set-based statement over n calls. */
struct exec_batch {
    const struct sql_stmt *stmt;
    const void *const *in; /**< n pointers to struct sql_<name> */
    size_t n;
    PGresult *rows; /**< out: of the work section, owned by the caller; with EXEC_DONE, else NULL */
    bool commit_sent; /**< out: COMMIT was on its way when the link broke */
};

/** Run a batch in one transaction, one round trip. */
enum exec_end exec_write(struct db_link *l, struct encoder *e, struct exec_batch *b);

#endif
