/* SPDX-License-Identifier: MIT */
/* What more than half of all nodes say: see the rules in eth/rpc.h. */
#include <string.h>

#include "eth/rpc_node.h"

/* One answer, and how many nodes gave it. */
struct answer {
    json_t *v;
    struct buf print;
    size_t voices;
};

struct answers {
    struct answer list[RPC_NODES_MAX];
    size_t n;
    size_t voices;
};

/* Takes `v` and `print` over. */
static void count(struct answers *got, json_t *v, struct buf *print)
{
    got->voices++;
    for (size_t i = 0; i < got->n; i++) {
        struct answer *a = &got->list[i];

        if (a->print.n == print->n &&
            (print->n == 0 || memcmp(a->print.p, print->p, print->n) == 0)) {
            a->voices++;
            json_decref(v);
            buf_done(print);
            return;
        }
    }
    got->list[got->n++] = (struct answer){v, *print, 1};
}

/* A node whose answer is no good has not answered. */
static enum err_code ask_one(struct rpc *r, struct rpc_node *node, const struct rpc_question *q,
                             json_t *params, struct answers *got, struct err *err)
{
    struct buf print = {0};
    json_t *v = NULL;
    enum err_code rc = rpc_ask(r, node, q->method, params, &v, err);

    if (rc == E_OK)
        rc = q->print(v, q->of, &print, err);
    if (rc == E_OK) {
        count(got, v, &print);
        return E_OK;
    }
    json_decref(v);
    buf_done(&print);
    return rc;
}

static enum err_code ask_all(struct rpc *r, const struct rpc_question *q, json_t *params,
                             struct answers *got, struct err *err)
{
    struct rpc_node *nodes[RPC_NODES_MAX];
    size_t n = rpc_order(r, nodes);
    enum err_code rc = n > 0 ? E_OK : err_set(err, E_PEER, "no node of the chain answers");

    for (size_t i = 0; i < n; i++)
        if (i == 0 || !rpc_is_down(nodes[i]))
            rc = ask_one(r, nodes[i], q, params, got, err);
    return got->n > 0 ? E_OK : rc;
}

enum err_code rpc_agreed(struct rpc *r, const struct rpc_question *q, json_t *params, json_t **out,
                         struct err *err)
{
    struct answers got = {.n = 0};
    const struct answer *most = &got.list[0];
    enum err_code rc = ask_all(r, q, params, &got, err);

    for (size_t i = 1; i < got.n; i++)
        if (got.list[i].voices > most->voices)
            most = &got.list[i];
    if (rc == E_OK && most->voices * 2 <= r->n_nodes)
        rc = err_set(err, E_PEER, "%s: no more than %zu of %zu nodes give the same answer",
                     q->method, most->voices, r->n_nodes);
    if (rc == E_OK) {
        r->error = 0;
        r->outvoted = got.voices - most->voices;
        *out = json_incref(most->v);
    }
    for (size_t i = 0; i < got.n; i++) {
        json_decref(got.list[i].v);
        buf_done(&got.list[i].print);
    }
    json_decref(params);
    return rc;
}
