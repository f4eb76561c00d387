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

enum err_code rpc_any_receipt(struct rpc *r, struct digest tx, rpc_receipt_fn *read, void *out,
                              struct err *err)
{
    struct rpc_node *nodes[RPC_NODES_MAX];
    size_t n = rpc_order(r, nodes);
    json_t *params = json_pack("[o]", shape_json(tx.b, sizeof(tx.b)));
    enum err_code rc = n > 0 ? E_OK : err_set(err, E_PEER, "no node of the chain answers");
    bool answered = false;
    bool found = false;

    for (size_t i = 0; i < n && !found; i++) {
        json_t *v = NULL;

        if (i > 0 && rpc_is_down(nodes[i]))
            continue;
        rc = rpc_ask(r, nodes[i], "eth_getTransactionReceipt", params, &v, err);
        answered |= rc == E_OK && json_is_null(v);
        if (rc == E_OK && json_is_object(v)) {
            rc = read(v, out, err);
            found = rc == E_OK;
        } else if (rc == E_OK && !json_is_null(v)) {
            rc = err_set(err, E_PEER, "eth_getTransactionReceipt: no object");
        }
        json_decref(v);
    }
    json_decref(params);
    return answered && !found ? err_set(err, E_NOT_FOUND, "no receipt yet") : rc;
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

/* The nodes that told their final block, the highest first. */
struct finals {
    struct {
        struct rpc_node *node;
        uint64_t number;
    } list[RPC_NODES_MAX];
    size_t n;
};

static void keep(struct finals *f, struct rpc_node *node, uint64_t number)
{
    size_t at = f->n++;

    for (; at > 0 && f->list[at - 1].number < number; at--)
        f->list[at] = f->list[at - 1];
    f->list[at].node = node;
    f->list[at].number = number;
}

static bool is_most(const struct rpc *r, size_t nodes)
{
    return nodes * 2 > r->n_nodes;
}

/* How many of those that call this height final name the same block there. */
static size_t voices(struct rpc *r, const struct finals *f, uint64_t number, struct err *err)
{
    struct digest hashes[RPC_NODES_MAX];
    char tag[RPC_TAG_MAX];
    size_t told = 0;
    size_t most = 0;

    rpc_tag(number, tag);
    for (size_t i = 0; i < f->n && f->list[i].number >= number; i++) {
        uint64_t at;

        if (block_of(r, f->list[i].node, tag, &at, &hashes[told], err) == E_OK && at == number)
            told++;
    }
    for (size_t i = 0; i < told; i++) {
        size_t same = 0;

        for (size_t k = 0; k < told; k++)
            same += memcmp(&hashes[i], &hashes[k], sizeof(hashes[i])) == 0;
        if (same > most)
            most = same;
    }
    r->split |= most < told;
    return most;
}

/* From the highest height that more than half call final downwards: where one that lies takes part
 * in that majority, a lower one that the others agree on is still final. */
static enum err_code agree(struct rpc *r, const struct finals *f, uint64_t *out, struct err *err)
{
    size_t most = 0;

    r->split = false;
    for (size_t i = r->n_nodes / 2; i < f->n; i++) {
        size_t same;

        if (i + 1 < f->n && f->list[i + 1].number == f->list[i].number)
            continue; /* the last of equal ones stands for all of them */
        same = voices(r, f, f->list[i].number, err);
        if (is_most(r, same)) {
            *out = f->list[i].number;
            return E_OK;
        }
        if (same > most)
            most = same;
    }
    if (r->split)
        return err_set(err, E_PEER, "the nodes name different blocks: none counts as final");
    return err_set(err, E_PEER, "%zu of %zu nodes name the same block: too few to call it final",
                   most, r->n_nodes);
}

enum err_code rpc_final(struct rpc *r, const char *tag, uint64_t depth, uint64_t *out,
                        struct err *err)
{
    struct rpc_node *nodes[RPC_NODES_MAX];
    size_t n = rpc_order(r, nodes);
    struct finals told = {.n = 0};
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
        if (rc == E_OK)
            keep(&told, nodes[i], number - depth);
    }
    if (told.n == 0)
        return rc;
    if (!is_most(r, told.n))
        return err_set(err, E_PEER, "%zu of %zu nodes answer: too few to call a block final",
                       told.n, r->n_nodes);
    if (r->n_nodes > 1)
        return agree(r, &told, out, err);
    *out = told.list[0].number;
    return E_OK;
}
