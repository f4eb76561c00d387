/* SPDX-License-Identifier: MIT */
#ifndef ETH_RPC_NODE_H
#define ETH_RPC_NODE_H

#include "eth/rpc.h"
#include "lib/http.h"

/* Between eth/rpc.c (one call to one node), eth/rpc_pool.c (which node) and eth/rpc_all.c (all of
 * them). */

/** One node, and what we last knew of it. */
struct rpc_node {
    struct http_client *http;
    char *url;
    int64_t down_until; /**< monotonic µs: not asked before, while others answer */
    int64_t down_us;    /**< how long it was left alone last; doubles */
    uint64_t head;      /**< its last block number */
    bool checked;       /**< its chain id was asked */
    bool foreign;       /**< and is another's */
};

struct rpc {
    struct rpc_node nodes[RPC_NODES_MAX];
    size_t n_nodes;
    int64_t timeout_ms;
    int64_t refreshed; /**< monotonic µs: heads were last asked */
    uint64_t chain_id; /**< 0: any */
    int64_t error;
    json_int_t next_id;
    bool split;
};

/** One call to one node; `params` borrowed. Sets r->error. A node that gives no answer is left
 * alone for a while. */
MUST_CHECK enum err_code rpc_ask(struct rpc *r, struct rpc_node *node, const char *method,
                                 json_t *params, json_t **out, struct err *err);

/** The nodes in the order in which to ask them, best first; all of the right chain, those that are
 * down or lag last. @return their number, 0 when none is of the chain */
size_t rpc_order(struct rpc *r, struct rpc_node *out[RPC_NODES_MAX]);

/** A receipt of any node that has it. @return E_NOT_FOUND when some answered and none has */
MUST_CHECK enum err_code rpc_any_receipt(struct rpc *r, struct digest tx, json_t **out,
                                         struct err *err);

/** It answered, or it did not. */
void rpc_node_up(struct rpc_node *node);
void rpc_node_down(struct rpc_node *node);

/** It gave no answer lately: not worth waiting for while another node is there. */
bool rpc_is_down(const struct rpc_node *node);

#endif
