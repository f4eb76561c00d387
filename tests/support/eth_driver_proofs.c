/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "core/reputation.h"
#include "eth/logtree.h"
#include "tests/support/eth_driver.h"

static json_t *siblings_json(const struct merkle_proof *proof)
{
    json_t *list = json_array();

    for (size_t i = 0; i < proof->n; i++)
        json_array_append_new(list, shape_json(proof->siblings[i].b, 32));
    return list;
}

/* {entries} → {root, proofs: one for each entry} */
json_t *op_log(struct ask *ask)
{
    const json_t *list = json_object_get(ask->in, "entries");
    size_t n = json_array_size(list);
    struct digest *leaves = arena_alloc(ask->arena, (n + 1) * sizeof(*leaves));
    json_t *proofs = json_array();
    struct digest root;

    for (size_t i = 0; i < n; i++)
        leaves[i] = logtree_leaf(bytes_of_json(ask->arena, json_array_get(list, i)));
    root = logtree_root(leaves, n);
    for (size_t i = 0; i < n; i++) {
        struct merkle_proof proof;

        if (logtree_proof(leaves, n, i, ask->arena, &proof, &ask->err) != E_OK)
            malformed("no proof");
        json_array_append_new(proofs, siblings_json(&proof));
    }
    return json_pack("{s:o, s:o}", "root", shape_json(root.b, 32), "proofs", proofs);
}

json_t *op_log_verify(struct ask *ask)
{
    struct digest root = {{0}};
    struct logtree_path path = {.index = ask_u64(ask, "index"), .size = ask_u64(ask, "size")};

    path.siblings = ask_digests(ask, "proof", &path.n);
    ask_fixed(ask, "root", root.b, 32);
    return json_boolean(logtree_verify(logtree_leaf(ask_bytes(ask, "entry")), &path, root));
}

static struct event event_of(struct ask *ask)
{
    struct event e = {.kind = (enum event_kind)ask_u64(ask, "kind"),
                      .epoch = ask_u64(ask, "epoch"),
                      .at_us = ask_u64(ask, "at")};

    ask_fixed(ask, "task", e.task.b, 16);
    ask_fixed(ask, "attempt", e.attempt.b, 16);
    ask_fixed(ask, "provider", e.provider.b, 20);
    ask_fixed(ask, "payee", e.payee.b, 20);
    ask_fixed(ask, "response", e.response.b, 32);
    ask_fixed(ask, "amount", e.amount, 32);
    return e;
}

static json_t *leaf_json(const struct score_leaf *l)
{
    return json_pack("{s:o, s:I, s:I, s:I, s:I, s:o}", "provider", shape_json(l->provider.b, 20),
                     "accepted", (json_int_t)l->accepted, "rejected", (json_int_t)l->rejected,
                     "expired", (json_int_t)l->expired, "score", (json_int_t)l->score,
                     "events_root", shape_json(l->events_root.b, 32));
}

/* {events: [{kind, …, before}]} → {score_root, log_root, log, leaves, proofs} */
json_t *op_close(struct ask *ask)
{
    const json_t *list = json_object_get(ask->in, "events");
    size_t n = json_array_size(list);
    struct scored_event *events = arena_alloc(ask->arena, (n + 1) * sizeof(*events));
    struct epoch_close c;
    json_t *leaves = json_array();
    json_t *proofs = json_array();
    json_t *log = json_array();

    for (size_t i = 0; i < n; i++) {
        struct ask one = {.in = json_array_get(list, i), .arena = ask->arena};
        uint8_t bytes[EVENT_SIZE];
        uint8_t again[EVENT_SIZE];
        struct event back;

        events[i] = (struct scored_event){event_of(&one), (uint32_t)ask_u64(&one, "before")};
        event_encode(&events[i].event, bytes);
        if (!event_decode(bytes, &back))
            malformed("an event did not read");
        event_encode(&back, again);
        if (memcmp(again, bytes, sizeof(again)) != 0)
            malformed("an event did not read back");
    }
    reputation_close(events, n, reputation_score, ask->arena, &c);
    for (size_t i = 0; i < c.n_scores; i++) {
        struct merkle_proof proof;

        if (score_proof(c.scores, c.n_scores, i, ask->arena, &proof, &ask->err) != E_OK)
            malformed("no proof");
        json_array_append_new(leaves, leaf_json(&c.scores[i]));
        json_array_append_new(proofs, siblings_json(&proof));
    }
    for (size_t i = 0; i < c.n_log; i++)
        json_array_append_new(log, shape_json(c.log[i].b, 32));
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "score_root", shape_json(c.score_root.b, 32),
                     "log_root", shape_json(c.log_root.b, 32), "log", log, "leaves", leaves,
                     "proofs", proofs);
}
