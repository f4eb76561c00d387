/* SPDX-License-Identifier: MIT */
#ifndef AUDITOR_INVARIANTS_H
#define AUDITOR_INVARIANTS_H

#include <stddef.h>

/** One statement that returns (id, detail) rows where the books are wrong, and none where they are
 * right. */
struct invariant {
    const char *name;
    const char *sql;
};

/** Generated from the SQL files of this folder, in their order. */
extern const struct invariant invariants[];
extern const size_t invariant_count;

#endif
