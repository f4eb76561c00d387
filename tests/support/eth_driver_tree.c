/* SPDX-License-Identifier: MIT */
/* Values of any nesting as JSON: 0x text for words, bytes and strings, lists for arrays and tuples.
 */
#include <string.h>

#include "eth/upstream.h"
#include "tests/support/eth_driver.h"

static void value_of(struct ask *ask, const struct abi_type *t, const json_t *v,
                     struct abi_node *out)
{
    const struct abi_type *child = t + 1;

    if (t->kind == ABI_UINT || t->kind == ABI_FIXED) {
        struct bytes b = bytes_of_json(ask->arena, v);

        if (b.n != 32)
            malformed("word");
        memcpy(out->word, b.p, 32);
    } else if (t->kind == ABI_BYTES || t->kind == ABI_STRING) {
        out->data = bytes_of_json(ask->arena, v);
    } else {
        out->n = json_array_size(v);
        out->items = arena_alloc(ask->arena, (out->n + 1) * sizeof(*out->items));
        if (t->kind == ABI_TUPLE && out->n != t->children)
            return; /* for the codec to refuse */
        for (size_t i = 0; i < out->n; i++) {
            value_of(ask, child, json_array_get(v, i), &out->items[i]);
            if (t->kind == ABI_TUPLE)
                child += child->span;
        }
    }
}

static json_t *json_of(const struct abi_type *t, const struct abi_node *v)
{
    const struct abi_type *child = t + 1;
    json_t *list;

    if (t->kind == ABI_UINT || t->kind == ABI_FIXED)
        return shape_json(v->word, 32);
    if (t->kind == ABI_BYTES || t->kind == ABI_STRING)
        return shape_json(v->data.p, v->data.n);
    list = json_array();
    for (size_t i = 0; i < v->n; i++) {
        json_array_append_new(list, json_of(child, &v->items[i]));
        if (t->kind == ABI_TUPLE)
            child += child->span;
    }
    return list;
}

static struct abi_node ask_value(struct ask *ask, const char *text)
{
    struct abi_types types;
    struct abi_node v = {.n = 0};

    if (abi_types_parse(text, &types, NULL) != E_OK)
        malformed("types");
    value_of(ask, types.t, json_object_get(ask->in, "value"), &v);
    return v;
}

static json_t *value_json(const char *text, const struct abi_node *v)
{
    struct abi_types types;

    if (abi_types_parse(text, &types, NULL) != E_OK)
        malformed("types");
    return json_of(types.t, v);
}

static json_t *done(enum err_code rc, struct buf *out)
{
    json_t *v = rc == E_OK ? shape_json(out->p, out->n) : NULL;

    buf_done(out);
    return v;
}

/* Any types: {types, value} to bytes, {types, data} to a value. */
json_t *op_tree_encode(struct ask *ask)
{
    const char *text = ask_text(ask, "types");
    struct abi_types types;
    struct abi_node v;
    struct buf out = {.cap = 0};

    if (abi_types_parse(text, &types, &ask->err) != E_OK)
        return NULL;
    v = ask_value(ask, text);
    return done(abi_tree_encode(&types, &v, &out, &ask->err), &out);
}

json_t *op_tree_decode(struct ask *ask)
{
    struct abi_types types;
    struct abi_node v;

    if (abi_types_parse(ask_text(ask, "types"), &types, &ask->err) != E_OK ||
        abi_tree_decode(&types, ask_bytes(ask, "data"), ask->arena, &v, &ask->err) != E_OK)
        return NULL;
    return json_of(types.t, &v);
}

static const char *const kinds[] = {
    [UPSTREAM_FUNCTION] = "function", [UPSTREAM_EVENT] = "event", [UPSTREAM_ERROR] = "error"};

/* The whole table. */
json_t *op_upstream(struct ask *ask)
{
    json_t *list = json_array();

    (void)ask;
    for (size_t i = 0; i < upstream_abi_n; i++) {
        const struct upstream_entry *e = &upstream_abi[i];
        struct digest hash = upstream_hash(e);

        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:s, s:s?, s:b, s:o}", "contract",
                                        upstream_contract_name(e->contract), "kind", kinds[e->kind],
                                        "name", e->name, "in", e->in, "out", e->out, "mainnet",
                                        e->mainnet_only, "hash", shape_json(hash.b, 32)));
    }
    return list;
}

static const struct upstream_entry *ask_row(const struct ask *ask)
{
    uint64_t row = ask_u64(ask, "row");

    if (row >= upstream_abi_n)
        malformed("row");
    return &upstream_abi[row];
}

json_t *op_upstream_call(struct ask *ask)
{
    const struct upstream_entry *e = ask_row(ask);
    struct abi_node v = ask_value(ask, e->in);
    struct buf out = {.cap = 0};

    return done(upstream_call_encode(e, &v, &out, &ask->err), &out);
}

json_t *op_upstream_call_read(struct ask *ask)
{
    const struct upstream_entry *e = ask_row(ask);
    struct bytes data = ask_bytes(ask, "data");
    struct abi_node v;

    if (data.n >= 4 && upstream_by_selector(e->contract, data.p) != e)
        malformed("the selector is another row's");
    return upstream_call_decode(e, data, ask->arena, &v, &ask->err) == E_OK ? value_json(e->in, &v)
                                                                            : NULL;
}

json_t *op_upstream_return(struct ask *ask)
{
    const struct upstream_entry *e = ask_row(ask);
    struct abi_node v = ask_value(ask, e->out);
    struct buf out = {.cap = 0};

    return done(upstream_return_encode(e, &v, &out, &ask->err), &out);
}

json_t *op_upstream_return_read(struct ask *ask)
{
    const struct upstream_entry *e = ask_row(ask);
    struct abi_node v;

    if (upstream_return_decode(e, ask_bytes(ask, "data"), ask->arena, &v, &ask->err) != E_OK)
        return NULL;
    return value_json(e->out, &v);
}

json_t *op_upstream_log(struct ask *ask)
{
    const struct upstream_entry *e = ask_row(ask);
    struct abi_node v = ask_value(ask, e->in);
    struct buf data = {.cap = 0};
    struct digest topics[4];
    json_t *list = json_array();
    size_t n;

    if (upstream_log_encode(e, &v, topics, &n, &data, &ask->err) != E_OK) {
        buf_done(&data);
        json_decref(list);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, shape_json(topics[i].b, 32));
    return json_pack("{s:o, s:o}", "topics", list, "data", done(E_OK, &data));
}

json_t *op_upstream_log_read(struct ask *ask)
{
    const struct upstream_entry *e = ask_row(ask);
    struct abi_log log = {.data = ask_bytes(ask, "data")};
    struct abi_node v;

    log.topics = ask_digests(ask, "topics", &log.n_topics);
    if (log.n_topics > 0 && upstream_by_topic(e->contract, log.topics) != e)
        malformed("the topic is another row's");
    return upstream_log_decode(e, &log, ask->arena, &v, &ask->err) == E_OK ? value_json(e->in, &v)
                                                                           : NULL;
}
