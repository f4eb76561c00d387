/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SUPPORT_ETH_DRIVER_H
#define TESTS_SUPPORT_ETH_DRIVER_H

#include <jansson.h>

#include "eth/rpc_shape.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/err.h"

/* One question of the oracle tests: members come out of `in`, hex as 0x text, numbers as decimal
 * text. A question that is itself malformed ends the program: the test then fails. */
struct ask {
    const json_t *in;
    struct arena *arena;
    struct err err;
};

/** An operation answers a new JSON value, or NULL with ask->err set. */
typedef json_t *op_fn(struct ask *ask);

const char *ask_text(const struct ask *ask, const char *name);
struct bytes ask_bytes(struct ask *ask, const char *name);
struct bytes bytes_of_json(struct arena *a, const json_t *v);
uint64_t ask_u64(const struct ask *ask, const char *name);
/** Exactly n bytes. */
void ask_fixed(struct ask *ask, const char *name, void *out, size_t n);
/** A list of 32-byte values. */
struct digest *ask_digests(struct ask *ask, const char *name, size_t *n);
void malformed(const char *what);

/* eth_driver_chain.c */
op_fn op_abi_call, op_abi_decode, op_abi_event, op_abi_topic, op_tx, op_merkle, op_proof, op_verify,
    op_entries;

/* eth_driver_proofs.c */
op_fn op_log, op_log_verify, op_close;

/* eth_driver_text.c */
op_fn op_canonical, op_sha256, op_key_make, op_key_check, op_states, op_edges;

/* eth_driver_tree.c */
op_fn op_tree_encode, op_tree_decode, op_upstream, op_upstream_call, op_upstream_call_read,
    op_upstream_return, op_upstream_return_read, op_upstream_log, op_upstream_log_read;

#endif
