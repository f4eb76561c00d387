/* SPDX-License-Identifier: MIT */
#ifndef INDEXER_MIRROR_H
#define INDEXER_MIRROR_H

#include <stdint.h>

#include "core/id.h"
#include "db/conn.h"
#include "eth/abi_tree.h"
#include "eth/rpc.h"
#include "indexer/scan.h"
#include "lib/arena.h"

#define MIRROR_CURSOR_MAX 40

/** The mirror: copies what upstream's Nexus tells of sources and tasks. Holds no key, moves no
 * money. One thread. */
struct mirror {
    struct rpc *rpc;
    struct db_conn *db;
    struct arena *arena; /**< of one range; reset between */
    struct finality finality;
    uint64_t chain_id;
    struct address nexus;
    int64_t start_block;
    uint64_t range_max;
    char cursor[MIRROR_CURSOR_MAX]; /**< chain_cursor.name */
    struct figures figures;
};

/**
 * Book everything that became final since the last call, then read the structs that are due. When
 * the chain was rewritten below what was booked, forget that part first.
 *
 * @booked  blocks booked, plus structs read
 * @return  E_PEER, E_TIMEOUT (node), E_DB_DOWN, E_BUSY: try again
 */
MUST_CHECK enum err_code mirror_step(struct mirror *m, uint64_t *booked, struct err *err);

/**
 * Book the logs of final blocks. Safe twice. What is not an event we know, or not encoded as one,
 * is left out with a warning: a stranger's log must not stop the mirror.
 */
MUST_CHECK enum err_code mirror_book(struct mirror *m, const struct rpc_log *logs, size_t n,
                                     struct err *err);

/**
 * Read the structs that are due, some at a time.
 *
 * @read    how many were tried
 * @return  E_PEER, E_TIMEOUT (node), E_DB_DOWN; a contract that does not answer with its struct is
 * no error: it is tried again later
 */
MUST_CHECK enum err_code mirror_read_due(struct mirror *m, uint64_t *read, struct err *err);

/**
 * A struct as JSON: members by their names in the ABI, numbers above 32 bits as decimal strings,
 * addresses in EIP-55 form, each string as {text, size, exact}.
 *
 * @t    of the value; the types inside follow it
 * @out  in the arena; valid UTF-8 without NUL
 */
MUST_CHECK enum err_code mirror_json(const struct abi_type *t, const struct abi_node *v,
                                     struct arena *a, struct text *out, struct err *err);

/** `ogpu-indexer mirror`: until a signal. @argv behind the word "mirror" @return exit status */
int mirror_main(int argc, char **argv);

#endif
