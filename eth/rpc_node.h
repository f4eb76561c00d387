/* SPDX-License-Identifier: MIT */
#ifndef ETH_RPC_NODE_H
#define ETH_RPC_NODE_H

#include "eth/rpc.h"
#include "lib/http.h"

/* Between eth/rpc.c (one call to one node), eth/rpc_pool.c (which node), eth/rpc_all.c (all of
 * them) and eth/rpc_agreed.c (most of them). */

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
    size_t outvoted; /**< nodes that answered the last agreed question otherwise than most */
};

/** One call to one node; `params` borrowed. Sets r->error. A node that gives no answer is left
 * alone for a while. */
MUST_CHECK enum err_code rpc_ask(struct rpc *r, struct rpc_node *node, const char *method,
                                 json_t *params, json_t **out, struct err *err);

/** The nodes in the order in which to ask them, best first; all of the right chain, those that are
 * down or lag last. @return their number, 0 when none is of the chain */
size_t rpc_order(struct rpc *r, struct rpc_node *out[RPC_NODES_MAX]);

/** Reads a receipt, a JSON object. @return E_PEER when it is malformed */
typedef enum err_code rpc_receipt_fn(const json_t *v, void *out, struct err *err);

/** A receipt of any node that has it. Of a node whose receipt cannot be read it is not taken: the
 * next one is asked. @return E_NOT_FOUND when some answered and none has */
MUST_CHECK enum err_code rpc_any_receipt(struct rpc *r, struct digest tx, rpc_receipt_fn *read,
                                         void *out, struct err *err);

/** A call whose answer counts when more than half of all nodes give it. */
struct rpc_question {
    const char *method;
    /**
     * Checks an answer and appends to `out` what it means: equal bytes, equal answer. Members that
     * clients add of their own are not part of it.
     *
     * @of      the question's
     * @return  E_PEER when it is no good: the node has not answered then
     */
    enum err_code (*print)(const json_t *v, const void *of, struct buf *out, struct err *err);
    const void *of;
};

/**
 * Ask all nodes that answer.
 *
 * @params  taken over
 * @out     what more than half of all nodes say, a new reference
 * @return  E_PEER when no answer is that of more than half; what one node answered when none did
 */
MUST_CHECK enum err_code rpc_agreed(struct rpc *r, const struct rpc_question *q, json_t *params,
                                    json_t **out, struct err *err);

/** A log as a node tells it. @out in the arena @return E_PEER when it is malformed */
MUST_CHECK enum err_code rpc_log_read(const json_t *v, struct arena *a, struct rpc_log *out,
                                      struct err *err);

/** It answered, or it did not. */
void rpc_node_up(struct rpc_node *node);
void rpc_node_down(struct rpc_node *node);

/** It gave no answer lately: not worth waiting for while another node is there. */
bool rpc_is_down(const struct rpc_node *node);

#endif
