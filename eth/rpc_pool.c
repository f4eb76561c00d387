/* SPDX-License-Identifier: MIT */
/* Which node is asked: see the rules in eth/rpc.h. */
#include <stdlib.h>
#include <string.h>

#include "eth/rpc_node.h"
#include "eth/rpc_shape.h"
#include "lib/clock.h"

#define SECOND     1000000
#define DOWN_FIRST (2 * SECOND)
#define DOWN_MOST  (60 * SECOND)
#define FRESH_FOR  (2 * SECOND)

static void add_node(struct rpc *r, const char *url, size_t n)
{
    struct rpc_node *node = &r->nodes[r->n_nodes++];

    node->http = http_client_new();
    node->url = strndup(url, n);
    if (!node->url)
        abort();
}

struct rpc *rpc_new(const char *urls, int64_t timeout_ms)
{
    struct rpc *r = calloc(1, sizeof(*r));

    if (!r)
        abort();
    r->timeout_ms = timeout_ms;
    r->next_id = 1;
    while (*urls && r->n_nodes < RPC_NODES_MAX) {
        size_t n = strcspn(urls, ", ");

        if (n > 0)
            add_node(r, urls, n);
        urls += n + strspn(urls + n, ", ");
    }
    return r;
}

void rpc_free(struct rpc *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n_nodes; i++) {
        http_client_free(r->nodes[i].http);
        free(r->nodes[i].url);
    }
    free(r);
}

void rpc_expect_chain(struct rpc *r, uint64_t chain_id)
{
    r->chain_id = chain_id;
    for (size_t i = 0; i < r->n_nodes; i++)
        r->nodes[i].checked = false;
}

void rpc_node_up(struct rpc_node *node)
{
    node->down_us = 0;
    node->down_until = 0;
}

void rpc_node_down(struct rpc_node *node)
{
    node->down_us = node->down_us == 0 ? DOWN_FIRST : node->down_us * 2;
    if (node->down_us > DOWN_MOST)
        node->down_us = DOWN_MOST;
    node->down_until = clock_mono_us() + node->down_us;
    /* What comes back may be another node behind the same address. */
    node->checked = false;
}

bool rpc_is_down(const struct rpc_node *node)
{
    return node->down_until > clock_mono_us();
}

static enum err_code ask_u64(struct rpc *r, struct rpc_node *node, const char *method,
                             uint64_t *out)
{
    json_t *params = json_array();
    json_t *v = NULL;
    enum err_code rc = rpc_ask(r, node, method, params, &v, NULL);

    if (rc == E_OK)
        rc = shape_u64(v, method, out, NULL);
    json_decref(v);
    json_decref(params);
    return rc;
}

/* Before a node's first use, and after each silence of it. */
static void check(struct rpc *r, struct rpc_node *node)
{
    uint64_t id;

    if (node->checked || r->chain_id == 0 || ask_u64(r, node, "eth_chainId", &id) != E_OK)
        return;
    node->checked = true;
    node->foreign = id != r->chain_id;
}

/* Asks every node that is not being left alone where its head is. */
static void refresh(struct rpc *r)
{
    int64_t now = clock_mono_us();

    if (r->refreshed != 0 && now - r->refreshed < FRESH_FOR)
        return;
    r->refreshed = now;
    for (size_t i = 0; i < r->n_nodes; i++) {
        struct rpc_node *node = &r->nodes[i];
        uint64_t head;

        if (rpc_is_down(node))
            continue;
        check(r, node);
        if (!node->foreign && ask_u64(r, node, "eth_blockNumber", &head) == E_OK)
            node->head = head;
    }
}

static uint64_t highest(const struct rpc *r)
{
    uint64_t head = 0;

    for (size_t i = 0; i < r->n_nodes; i++)
        if (!r->nodes[i].foreign && !rpc_is_down(&r->nodes[i]) && r->nodes[i].head > head)
            head = r->nodes[i].head;
    return head;
}

/* Higher is better. */
static int rank(const struct rpc *r, const struct rpc_node *node, uint64_t head)
{
    if (r->chain_id != 0 && !node->checked)
        return 0;
    if (rpc_is_down(node))
        return 1;
    return node->head + RPC_LAG_MAX < head ? 2 : 3;
}

static bool better(const struct rpc *r, const struct rpc_node *a, const struct rpc_node *b,
                   uint64_t head)
{
    int ra = rank(r, a, head);
    int rb = rank(r, b, head);

    return ra != rb ? ra > rb : a->head > b->head;
}

size_t rpc_order(struct rpc *r, struct rpc_node *out[RPC_NODES_MAX])
{
    size_t n = 0;
    uint64_t head;

    if (r->n_nodes > 1)
        refresh(r);
    else if (r->n_nodes == 1)
        check(r, &r->nodes[0]);
    r->error = 0;
    head = highest(r);
    for (size_t i = 0; i < r->n_nodes; i++) {
        struct rpc_node *node = &r->nodes[i];
        size_t at = n;

        /* Never one that could be of another chain. */
        if (node->foreign || (r->chain_id != 0 && !node->checked && r->n_nodes > 1))
            continue;
        while (at > 0 && better(r, node, out[at - 1], head)) {
            out[at] = out[at - 1];
            at--;
        }
        out[at] = node;
        n++;
    }
    return n;
}

struct rpc_health rpc_health(const struct rpc *r)
{
    struct rpc_health h = {.nodes = r->n_nodes, .split = r->split, .outvoted = r->outvoted};
    uint64_t head = highest(r);

    for (size_t i = 0; i < r->n_nodes; i++) {
        h.foreign |= r->nodes[i].foreign;
        h.usable += !r->nodes[i].foreign && rank(r, &r->nodes[i], head) == 3;
    }
    return h;
}

enum err_code rpc_call(struct rpc *r, const char *method, json_t *params, json_t **out,
                       struct err *err)
{
    struct rpc_node *nodes[RPC_NODES_MAX];
    size_t n = rpc_order(r, nodes);
    uint64_t head = highest(r);
    enum err_code rc = n > 0 ? E_OK : err_set(err, E_PEER, "no node of the chain answers");

    for (size_t i = 0; i < n; i++) {
        /* After an answer, even a refusal, a node that lags has nothing to add. */
        if (i > 0 && r->error != 0 && rank(r, nodes[i], head) < 3)
            break;
        rc = rpc_ask(r, nodes[i], method, params, out, err);
        if (rc == E_OK)
            break;
    }
    json_decref(params);
    return rc;
}

enum err_code rpc_meet_chain(struct rpc *r, uint64_t chain_id, struct err *err)
{
    struct rpc_health h;
    uint64_t id;
    enum err_code rc;

    rpc_expect_chain(r, chain_id);
    rc = rpc_chain_id(r, &id, err);
    h = rpc_health(r);
    if (rc != E_OK && h.foreign && h.usable == 0)
        return err_set(err, E_CONFIG, "the node is of another chain than %llu",
                       (unsigned long long)chain_id);
    return rc;
}
