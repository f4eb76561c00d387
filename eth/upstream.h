/* SPDX-License-Identifier: MIT */
#ifndef ETH_UPSTREAM_H
#define ETH_UPSTREAM_H

#include "eth/abi.h"
#include "eth/abi_tree.h"

/*
 * Upstream's own protocol: the contracts Nexus, Controller, Terminal, Vault, their Manager, and the
 * one contract that each source, task and response is. What they say is in a table
 * (eth/tables/upstream_abi.c); these functions read and write calls, results and logs by its rows.
 */

enum upstream_contract {
    UPSTREAM_NEXUS,
    UPSTREAM_CONTROLLER,
    UPSTREAM_TERMINAL,
    UPSTREAM_VAULT,
    UPSTREAM_MANAGER,
    UPSTREAM_SOURCE,
    UPSTREAM_TASK,
    UPSTREAM_RESPONSE,
};

enum upstream_kind { UPSTREAM_FUNCTION, UPSTREAM_EVENT, UPSTREAM_ERROR };

/** One row of the table. */
struct upstream_entry {
    enum upstream_contract contract;
    enum upstream_kind kind;
    bool mainnet_only; /**< absent from the contracts of chain 200820172034 */
    const char *name;
    const char *in;  /**< arguments as abi_types_parse() reads them */
    const char *out; /**< results; NULL for events and errors */
};

extern const struct upstream_entry upstream_abi[];
extern const size_t upstream_abi_n;

/** "Nexus" and so on; static. */
const char *upstream_contract_name(enum upstream_contract c);

enum upstream_enum {
    UPSTREAM_SOURCE_STATUS,
    UPSTREAM_TASK_STATUS,
    UPSTREAM_RESPONSE_STATUS,
    UPSTREAM_DELIVERY_METHOD,
};

/** An enum value's word in lower case, e.g. "finalized" for task status 5; NULL for none. */
const char *upstream_enum_word(enum upstream_enum e, uint64_t value);

/** The row of this name; NULL when there is none. */
const struct upstream_entry *upstream_find(enum upstream_contract c, enum upstream_kind kind,
                                           const char *name);

/** The contract's function or error with this selector; NULL when there is none. */
const struct upstream_entry *upstream_by_selector(enum upstream_contract c, const uint8_t s[4]);

/** The contract's event with this topic0; NULL when there is none. */
const struct upstream_entry *upstream_by_topic(enum upstream_contract c,
                                               const struct digest *topic0);

/** Keccak-256 of the row's canonical signature: an event's topic0; the first four bytes are a
 * function's selector. */
struct digest upstream_hash(const struct upstream_entry *e);

/**
 * Append a call: selector and arguments.
 *
 * @args    a node with one item per argument
 * @return  as abi_tree_encode()
 */
MUST_CHECK enum err_code upstream_call_encode(const struct upstream_entry *e,
                                              const struct abi_node *args, struct buf *out,
                                              struct err *err);

/** Arguments out of calldata (or of an error's data). @return E_PEER, also for another selector */
MUST_CHECK enum err_code upstream_call_decode(const struct upstream_entry *e, struct bytes data,
                                              struct arena *a, struct abi_node *out,
                                              struct err *err);

/** Append what a function returns. @return as abi_tree_encode() */
MUST_CHECK enum err_code upstream_return_encode(const struct upstream_entry *e,
                                                const struct abi_node *results, struct buf *out,
                                                struct err *err);

/** What a function returned. @return as abi_tree_decode() */
MUST_CHECK enum err_code upstream_return_decode(const struct upstream_entry *e, struct bytes data,
                                                struct arena *a, struct abi_node *out,
                                                struct err *err);

/**
 * Arguments of a log, in declared order.
 *
 * @return  E_PEER when it is not this event or malformed
 */
MUST_CHECK enum err_code upstream_log_decode(const struct upstream_entry *e,
                                             const struct abi_log *log, struct arena *a,
                                             struct abi_node *out, struct err *err);

/**
 * A log's arguments as topics and data; the reverse of upstream_log_decode().
 *
 * @topics    room for 4
 * @n_topics  set
 */
MUST_CHECK enum err_code upstream_log_encode(const struct upstream_entry *e,
                                             const struct abi_node *args, struct digest topics[4],
                                             size_t *n_topics, struct buf *data, struct err *err);

#endif
