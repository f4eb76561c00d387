/* SPDX-License-Identifier: MIT */
/* Calls that concern all nodes: see the rules in eth/rpc.h. */
#include <string.h>

#include "eth/rpc_node.h"
#include "eth/rpc_shape.h"

enum err_code rpc_send_raw(struct rpc *r, struct bytes raw, struct digest *hash, struct err *err)
{
    struct rpc_node *nodes[RPC_NODES_MAX];
    size_t n = rpc_order(r, nodes);
    json_t *params = json_pack("[o]", shape_json(raw.p, raw.n));
    struct err last = {0};
    enum err_code sent = n > 0 ? E_OK : err_set(&last, E_PEER, "no node of the chain answers");
    bool taken = false;
    int64_t error = 0;

    for (size_t i = 0; i < n; i++) {
        json_t *v = NULL;

        if (i > 0 && rpc_is_down(nodes[i]))
            continue;
        sent = rpc_ask(r, nodes[i], "eth_sendRawTransaction", params, &v, &last);
        if (sent == E_OK)
            sent = shape_fixed(v, "transaction hash", hash->b, sizeof(hash->b), &last);
        taken |= sent == E_OK;
        if (r->error != 0)
            error = r->error;
        json_decref(v);
    }
    json_decref(params);
    r->error = error;
    return taken ? E_OK : err_set(err, sent, "%s", last.text);
}

enum err_code rpc_any_receipt(struct rpc *r, struct digest tx, json_t **out, struct err *err)
{
    struct rpc_node *nodes[RPC_NODES_MAX];
    size_t n = rpc_order(r, nodes);
    json_t *params = json_pack("[o]", shape_json(tx.b, sizeof(tx.b)));
    enum err_code rc = n > 0 ? E_OK : err_set(err, E_PEER, "no node of the chain answers");
    bool answered = false;

    for (size_t i = 0; i < n; i++) {
        json_t *v = NULL;

        if (i > 0 && rpc_is_down(nodes[i]))
            continue;
        rc = rpc_ask(r, nodes[i], "eth_getTransactionReceipt", params, &v, err);
        if (rc == E_OK && json_is_object(v)) {
            json_decref(params);
            *out = v;
            return E_OK;
        }
        answered |= rc == E_OK && json_is_null(v);
        if (rc == E_OK && !json_is_null(v))
            rc = err_set(err, E_PEER, "eth_getTransactionReceipt: no object");
        json_decref(v);
    }
    json_decref(params);
    return answered ? err_set(err, E_NOT_FOUND, "no receipt yet") : rc;
}

/* A node's own block at a tag. */
static enum err_code block_of(struct rpc *r, struct rpc_node *node, const char *tag,
                              uint64_t *number, struct digest *hash, struct err *err)
{
    json_t *params = json_pack("[s, b]", tag, 0);
    json_t *v = NULL;
    enum err_code rc = rpc_ask(r, node, "eth_getBlockByNumber", params, &v, err);

    if (rc == E_OK && json_is_null(v))
        rc = err_set(err, E_NOT_FOUND, "no block '%s' yet", tag);
    if (rc == E_OK)
        rc = shape_u64(json_object_get(v, "number"), "block number", number, err);
    if (rc == E_OK)
        rc = shape_fixed(json_object_get(v, "hash"), "block hash", hash->b, 32, err);
    json_decref(v);
    json_decref(params);
    return rc;
}

/* Whether more than half of all nodes have the same block at this height. */
static enum err_code agree(struct rpc *r, struct rpc_node *const *nodes, size_t n, uint64_t number,
                           struct err *err)
{
    struct digest first = {{0}};
    char tag[RPC_TAG_MAX];
    size_t same = 0;
    bool split = false;

    rpc_tag(number, tag);
    for (size_t i = 0; i < n; i++) {
        struct digest hash;
        uint64_t at;

        if (block_of(r, nodes[i], tag, &at, &hash, err) != E_OK)
            continue;
        if (same == 0)
            first = hash;
        if (memcmp(&first, &hash, sizeof(hash)) == 0)
            same++;
        else
            split = true;
    }
    r->split = split;
    if (split)
        return err_set(err, E_PEER, "the nodes name different blocks %llu: none counts as final",
                       (unsigned long long)number);
    if (same * 2 <= r->n_nodes)
        return err_set(err, E_PEER, "%zu of %zu nodes know block %llu: too few to call it final",
                       same, r->n_nodes, (unsigned long long)number);
    return E_OK;
}

enum err_code rpc_final(struct rpc *r, const char *tag, uint64_t depth, uint64_t *out,
                        struct err *err)
{
    struct rpc_node *nodes[RPC_NODES_MAX];
    struct rpc_node *with[RPC_NODES_MAX];
    size_t n = rpc_order(r, nodes);
    size_t found = 0;
    uint64_t lowest = UINT64_MAX;
    enum err_code rc = n > 0 ? E_OK : err_set(err, E_PEER, "no node of the chain answers");

    for (size_t i = 0; i < n; i++) {
        struct digest hash;
        uint64_t number;

        if (i > 0 && rpc_is_down(nodes[i]))
            continue;
        rc = block_of(r, nodes[i], tag ? tag : "latest", &number, &hash, err);
        if (rc == E_OK && number < depth)
            rc = err_set(err, E_NOT_FOUND, "the chain is not %llu blocks high yet",
                         (unsigned long long)depth);
        if (rc != E_OK)
            continue;
        if (number - depth < lowest)
            lowest = number - depth;
        with[found++] = nodes[i];
    }
    if (found == 0)
        return rc;
    if (found * 2 <= r->n_nodes)
        return err_set(err, E_PEER, "%zu of %zu nodes answer: too few to call a block final", found,
                       r->n_nodes);
    rc = r->n_nodes > 1 ? agree(r, with, found, lowest, err) : E_OK;
    if (rc == E_OK)
        *out = lowest;
    return rc;
}
