/* SPDX-License-Identifier: MIT */
#ifndef INDEXER_READ_H
#define INDEXER_READ_H

#include "indexer/indexer.h"

/** One kind of event: whose it is, its signature, what it is called where several kinds share a
 * statement, and how its log becomes a row for that statement. */
struct kind {
    const char *event; /**< e.g. ABI_EV_SETTLED */
    const char *word;  /**< chain_event.kind; NULL where the statement books one kind only */
    bool of_vault;     /**< a log of the Vault, else of the Settlement */
    /**
     * @out     a struct sql_book_… of the kind's statement; bytes lie in ix->arena or in the log
     * @return  E_PEER when the log is malformed; what rpc_block() answers
     */
    enum err_code (*read)(struct indexer *ix, const struct kind *kind, const struct rpc_log *log,
                          void *out, struct err *err);
};

/** Kinds that one statement books together, in chain order. */
struct booking {
    enum sql_id stmt;
    size_t in_size;
    const struct kind *kinds;
    size_t n_kinds;
};

/** All of them, in the order in which a range is booked: each may lean on those before. */
extern const struct booking bookings[];
extern const size_t booking_count;

#endif
