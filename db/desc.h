/* SPDX-License-Identifier: MIT */
#ifndef DB_DESC_H
#define DB_DESC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the generated sql.c says about each named statement. The engine reads these tables only, so
 * it is compiled once and works for any set of statements (the tests bring their own).
 */

/** How a statement runs: pipelined alone, or batched in a transaction on the hot or the slow lanes.
 */
enum sql_class { SQL_CLASS_READ, SQL_CLASS_WRITE, SQL_CLASS_SLOW };

#define SQL_CLASS_COUNT 3

/** Wire types of parameters and columns; the C member behind each is listed here. */
enum sql_type {
    SQL_TYPE_UUID,  /**< struct uuid */
    SQL_TYPE_INT4,  /**< int32_t */
    SQL_TYPE_INT8,  /**< int64_t */
    SQL_TYPE_BOOL,  /**< bool */
    SQL_TYPE_TEXT,  /**< struct text */
    SQL_TYPE_BYTEA, /**< struct bytes */
    SQL_TYPE_WEI,   /**< struct wei, decimal text on the wire */
    SQL_TYPE_TIME   /**< int64_t microseconds since 1970 UTC, int8 on the wire */
};

/** `has` of a field without its own has_ member: NULL is the member's "no value" form. */
#define SQL_NO_HAS UINT32_MAX

/** One parameter or column: a member of the generated struct. */
struct sql_field {
    const char *name;
    enum sql_type type;
    bool nullable;
    uint32_t offset; /**< of the member, bytes */
    uint32_t has;    /**< of `bool has_<name>`, or SQL_NO_HAS */
};

/** One prepared statement: a lock section, the work, or a read. */
struct sql_section {
    const char *name;      /**< prepared name, unique: "task_submit.lock1", "task_submit.work" */
    const char *text;      /**< $1..$n renumbered to what this section uses */
    const uint8_t *params; /**< which parameters of the statement they are */
    size_t n_params;
};

/** A named statement. */
struct sql_stmt {
    const char *name;
    enum sql_class class;
    const struct sql_field *params;
    size_t n_params;
    size_t in_size; /**< of struct sql_<name>, bytes */
    const struct sql_field *columns;
    size_t n_columns;
    size_t row_size;                    /**< of struct sql_<name>_row, bytes */
    const struct sql_section *sections; /**< lock sections in order, the work last */
    size_t n_sections;
    size_t call_column; /**< which column is `call`; n_columns for reads */
};

/** All statements, indexed by enum sql_id. */
extern const struct sql_stmt sql_stmts[];
extern const size_t sql_stmt_count;

#endif
