/* SPDX-License-Identifier: MIT */
#ifndef ETH_RPC_H
#define ETH_RPC_H

#include <jansson.h>

#include "eth/abi.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/err.h"

/*
 * A JSON-RPC client for an Ethereum node. The node is an outside party: every answer is checked for
 * shape, and a node's error text is for the log only. Decide by nonce and receipt, never by text.
 * One thread each. All calls answer E_PEER for an unusable answer or an error object, E_TIMEOUT.
 *
 * Several nodes may stand behind one client. When they disagree:
 *   - a node of another chain is never used (rpc_expect_chain);
 *   - heads, nonces, fees and contract reads come from the freshest node that answers; one that
 *     lags more than RPC_LAG_MAX blocks behind it is asked only when all others fail;
 *   - a transaction is sent to all of them;
 *   - a receipt counts when any node has one that can be read: nobody may sign again what one node
 *     has seen mined;
 *   - a block is final when more than half of all nodes say so and name the same hash; the highest
 *     such block is it (rpc_final). Who lags, is silent or dissents does not hold the others up;
 *   - logs count, and what else is booked as final, when more than half of all nodes give the same
 *     answer (rpc_logs, rpc_agreed_…). A single node is believed.
 */
struct rpc;

#define RPC_NODES_MAX 8
#define RPC_LAG_MAX   3

/** @urls one, or several behind commas (RPC_NODES_MAX); copied. @timeout_ms per call and node */
struct rpc *rpc_new(const char *urls, int64_t timeout_ms);
void rpc_free(struct rpc *r);

/** From now on only nodes of this chain count; each is asked before its first use. */
void rpc_expect_chain(struct rpc *r, uint64_t chain_id);

/** The same, and ask for it: whether one of them answers. @return E_CONFIG when all that answer are
 * of another chain; E_PEER, E_TIMEOUT while none does */
MUST_CHECK enum err_code rpc_meet_chain(struct rpc *r, uint64_t chain_id, struct err *err);

/** How the nodes are: for status and metrics. */
struct rpc_health {
    size_t nodes;    /**< configured */
    size_t usable;   /**< of the right chain, answering, not lagging */
    bool foreign;    /**< one is of another chain */
    bool split;      /**< one named another block as final than others did, outvoted or not */
    size_t outvoted; /**< how many answered the last agreed question otherwise than most */
};
struct rpc_health rpc_health(const struct rpc *r);

/** Code of the last error object (e.g. -32003); 0 when the last call had none. */
int64_t rpc_error_code(const struct rpc *r);

/**
 * One call.
 *
 * @params  taken over, also on failure; a JSON array
 * @out     a new reference, may be JSON null
 */
MUST_CHECK enum err_code rpc_call(struct rpc *r, const char *method, json_t *params, json_t **out,
                                  struct err *err);

#define RPC_TAG_MAX 24

/** "0x1a" for a block number, into `out` (RPC_TAG_MAX bytes). */
void rpc_tag(uint64_t number, char *out);

struct rpc_block {
    uint64_t number;
    uint64_t time;     /**< Unix seconds */
    uint64_t base_fee; /**< wei per gas; 0 before London */
    struct digest hash;
    struct digest parent;
};

struct rpc_log {
    struct address address;
    struct abi_log abi; /**< topics (at most 4) and data, in the arena */
    uint64_t block;
    struct digest block_hash;
    struct digest tx_hash;
    uint64_t index; /**< in its block */
};

struct rpc_receipt {
    bool success;
    uint64_t block;
    struct digest block_hash;
    uint64_t gas_used;
    uint64_t gas_price; /**< effective */
    bool has_contract;
    struct address contract; /**< of a deployment */
};

/** A receipt with what happened. */
struct rpc_outcome {
    struct rpc_receipt receipt;
    struct rpc_log *logs; /**< in the arena */
    size_t n_logs;
};

struct rpc_tx {
    struct address from;
    struct address to; /**< zero for a deployment */
    uint64_t nonce;
    struct bytes input; /**< in the arena */
    bool mined;
    uint64_t block;
};

MUST_CHECK enum err_code rpc_chain_id(struct rpc *r, uint64_t *out, struct err *err);
MUST_CHECK enum err_code rpc_block_number(struct rpc *r, uint64_t *out, struct err *err);

/** @tag "latest", "safe", "finalized" or rpc_tag(). @return E_NOT_FOUND when there is none */
MUST_CHECK enum err_code rpc_block(struct rpc *r, const char *tag, struct rpc_block *out,
                                   struct err *err);

/** A final block as more than half of all nodes have it. @return E_NOT_FOUND when they have none,
 * E_PEER when they do not agree */
MUST_CHECK enum err_code rpc_agreed_block(struct rpc *r, uint64_t number, struct rpc_block *out,
                                          struct err *err);

/** Which logs: of some contracts in a closed range of blocks. */
struct rpc_filter {
    uint64_t from;
    uint64_t to;
    const struct address *contracts;
    size_t n_contracts;
};

/**
 * The logs that pass the filter, in chain order, as more than half of all nodes tell them.
 *
 * @out     in the arena
 * @return  E_PEER when no more than half tell the same, or one in the wrong order, of a block or
 *          contract not asked for, or of two blocks at one height
 */
MUST_CHECK enum err_code rpc_logs(struct rpc *r, const struct rpc_filter *f, struct arena *a,
                                  struct rpc_log **out, size_t *n, struct err *err);

/** @return E_NOT_FOUND while there is none */
MUST_CHECK enum err_code rpc_receipt(struct rpc *r, struct digest tx, struct rpc_receipt *out,
                                     struct err *err);

/** The same with its logs, in @a. */
MUST_CHECK enum err_code rpc_outcome(struct rpc *r, struct digest tx, struct arena *a,
                                     struct rpc_outcome *out, struct err *err);

/**
 * The highest block that more than half of all nodes call final under the same hash.
 *
 * @tag    "finalized" or "safe"; NULL: `depth` blocks below the head
 * @return E_NOT_FOUND while there is none; E_PEER when no more than half answer or agree
 */
MUST_CHECK enum err_code rpc_final(struct rpc *r, const char *tag, uint64_t depth, uint64_t *out,
                                   struct err *err);

/** @return E_NOT_FOUND when the node does not know it */
MUST_CHECK enum err_code rpc_transaction(struct rpc *r, struct digest tx, struct arena *a,
                                         struct rpc_tx *out, struct err *err);

/** Broadcast. An error answer says nothing about whether it is known: look by nonce and receipt. */
MUST_CHECK enum err_code rpc_send_raw(struct rpc *r, struct bytes raw, struct digest *hash,
                                      struct err *err);

/** Transactions sent by an address at a tag ("latest": mined; "pending": with the pool's). */
MUST_CHECK enum err_code rpc_nonce(struct rpc *r, struct address a, const char *tag, uint64_t *out,
                                   struct err *err);

/**
 * Fees from eth_feeHistory, wei per gas: the next block's base fee, and the median over the last
 * blocks of the tip that each one's middle gas paid. Where no block had a transaction the node's
 * own suggestion (eth_maxPriorityFeePerGas) takes the tip's place.
 */
MUST_CHECK enum err_code rpc_fees(struct rpc *r, uint64_t *base_fee, uint64_t *priority_fee,
                                  struct err *err);

/** Suggested gas price for legacy transactions, wei per gas: for chains before London. */
MUST_CHECK enum err_code rpc_gas_price(struct rpc *r, uint64_t *out, struct err *err);

/** Gas a call would use; an error answer usually means that it would revert. */
MUST_CHECK enum err_code rpc_estimate_gas(struct rpc *r, struct address from, struct address to,
                                          struct bytes data, uint64_t *out, struct err *err);

/** The same for a deployment. @init  creation code and argument */
MUST_CHECK enum err_code rpc_estimate_create(struct rpc *r, struct address from, struct bytes init,
                                             uint64_t *out, struct err *err);

/** A question to a contract. */
struct rpc_view {
    struct address to;
    struct bytes data;
    const char *tag; /**< "latest", "finalized", or rpc_tag() */
};

/** eth_call. @out in the arena */
MUST_CHECK enum err_code rpc_read(struct rpc *r, const struct rpc_view *view, struct arena *a,
                                  struct bytes *out, struct err *err);

/** eth_call at a final block, as more than half of all nodes answer it. @out in the arena */
MUST_CHECK enum err_code rpc_agreed_read(struct rpc *r, const struct rpc_view *view,
                                         struct arena *a, struct bytes *out, struct err *err);

/** eth_call in an account's name. An error answer (rpc_error_code() not 0) usually means that it
 * would revert. @out in the arena */
MUST_CHECK enum err_code rpc_simulate(struct rpc *r, struct address from,
                                      const struct rpc_view *view, struct arena *a,
                                      struct bytes *out, struct err *err);

/** eth_getCode; empty for an account without code. @out in the arena */
MUST_CHECK enum err_code rpc_code(struct rpc *r, struct address a, const char *tag,
                                  struct arena *arena, struct bytes *out, struct err *err);

/** Balance in wei, 32 bytes big endian. */
MUST_CHECK enum err_code rpc_balance(struct rpc *r, struct address a, const char *tag,
                                     uint8_t out[32], struct err *err);

#endif
