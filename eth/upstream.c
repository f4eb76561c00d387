/* SPDX-License-Identifier: MIT */
#include "eth/upstream.h"

#include "eth/keccak.h"

#define SIGNATURE_MAX 512
#define SELECTOR      4

const struct upstream_entry *upstream_find(enum upstream_contract c, enum upstream_kind kind,
                                           const char *name)
{
    for (size_t i = 0; i < upstream_abi_n; i++) {
        const struct upstream_entry *e = &upstream_abi[i];

        if (e->contract == c && e->kind == kind && strcmp(e->name, name) == 0)
            return e;
    }
    return NULL;
}

struct digest upstream_hash(const struct upstream_entry *e)
{
    struct buf text = {.cap = SIGNATURE_MAX};
    struct digest hash = {{0}};
    struct abi_types types;

    if (abi_types_parse(e->in, &types, NULL) == E_OK &&
        buf_printf(&text, NULL, "%s", e->name) == E_OK &&
        abi_types_canonical(&types, &text, NULL) == E_OK)
        hash = keccak256(text.p, text.n);
    buf_done(&text);
    return hash;
}

const struct upstream_entry *upstream_by_selector(enum upstream_contract c, const uint8_t s[4])
{
    for (size_t i = 0; i < upstream_abi_n; i++) {
        const struct upstream_entry *e = &upstream_abi[i];
        struct digest hash;

        if (e->contract != c || e->kind == UPSTREAM_EVENT)
            continue;
        hash = upstream_hash(e);
        if (memcmp(hash.b, s, SELECTOR) == 0)
            return e;
    }
    return NULL;
}

const struct upstream_entry *upstream_by_topic(enum upstream_contract c,
                                               const struct digest *topic0)
{
    for (size_t i = 0; i < upstream_abi_n; i++) {
        const struct upstream_entry *e = &upstream_abi[i];
        struct digest hash;

        if (e->contract != c || e->kind != UPSTREAM_EVENT)
            continue;
        hash = upstream_hash(e);
        if (memcmp(&hash, topic0, sizeof(hash)) == 0)
            return e;
    }
    return NULL;
}

/* ---- calls and results ---- */

static enum err_code encode(const char *text, const struct abi_node *v, struct buf *out,
                            struct err *err)
{
    struct abi_types types;
    enum err_code rc = abi_types_parse(text, &types, err);

    return rc == E_OK ? abi_tree_encode(&types, v, out, err) : rc;
}

static enum err_code decode(const char *text, struct bytes data, struct arena *a,
                            struct abi_node *out, struct err *err)
{
    struct abi_types types;
    enum err_code rc = abi_types_parse(text, &types, err);

    return rc == E_OK ? abi_tree_decode(&types, data, a, out, err) : rc;
}

enum err_code upstream_call_encode(const struct upstream_entry *e, const struct abi_node *args,
                                   struct buf *out, struct err *err)
{
    struct digest hash = upstream_hash(e);
    size_t before = out->n;
    enum err_code rc = buf_add(out, hash.b, SELECTOR, err);

    if (rc == E_OK)
        rc = encode(e->in, args, out, err);
    if (rc != E_OK)
        out->n = before;
    return rc;
}

enum err_code upstream_call_decode(const struct upstream_entry *e, struct bytes data,
                                   struct arena *a, struct abi_node *out, struct err *err)
{
    struct digest hash = upstream_hash(e);

    if (data.n < SELECTOR || memcmp(data.p, hash.b, SELECTOR) != 0)
        return err_set(err, E_PEER, "ABI: the data is not of %s", e->name);
    return decode(e->in, bytes_of(data.p + SELECTOR, data.n - SELECTOR), a, out, err);
}

enum err_code upstream_return_encode(const struct upstream_entry *e, const struct abi_node *results,
                                     struct buf *out, struct err *err)
{
    return encode(e->out, results, out, err);
}

enum err_code upstream_return_decode(const struct upstream_entry *e, struct bytes data,
                                     struct arena *a, struct abi_node *out, struct err *err)
{
    return decode(e->out, data, a, out, err);
}

/* ---- logs: some arguments in topics, the others in data ---- */

struct halves {
    struct abi_types all;
    struct abi_types topics;
    struct abi_types data;
};

static enum err_code halves_of(const struct upstream_entry *e, struct halves *h, struct err *err)
{
    enum err_code rc = abi_types_parse(e->in, &h->all, err);
    const struct abi_type *t = h->topics.t + 1;

    if (rc != E_OK)
        return rc;
    abi_types_half(&h->all, true, &h->topics);
    abi_types_half(&h->all, false, &h->data);
    for (unsigned i = 0; i < h->topics.t[0].children; i++, t += t->span)
        if (t->kind != ABI_UINT && t->kind != ABI_FIXED)
            return err_set(err, E_INTERNAL, "%s indexes more than a word", e->name);
    return h->topics.t[0].children > 3 ? err_set(err, E_INTERNAL, "%s indexes too much", e->name)
                                       : E_OK;
}

/* Puts the decoded data and the topics together again. */
static enum err_code merge(const struct halves *h, const struct digest *topics,
                           const struct abi_node *data, struct abi_node *out, struct err *err)
{
    const struct abi_type *t = h->all.t + 1;
    size_t topic = 0;
    size_t item = 0;

    for (size_t i = 0; i < out->n; i++, t += t->span) {
        if (!t->indexed) {
            out->items[i] = data->items[item++];
            continue;
        }
        memcpy(out->items[i].word, topics[topic++].b, sizeof(out->items[i].word));
        if (!abi_word_fits(t, out->items[i].word))
            return err_set(err, E_PEER, "ABI: a topic does not fit its type");
    }
    return E_OK;
}

enum err_code upstream_log_decode(const struct upstream_entry *e, const struct abi_log *log,
                                  struct arena *a, struct abi_node *out, struct err *err)
{
    struct digest hash = upstream_hash(e);
    struct abi_node value = {.n = 0};
    struct abi_node in_data;
    struct halves h;
    enum err_code rc = halves_of(e, &h, err);

    if (rc != E_OK)
        return rc;
    if (log->n_topics == 0 || memcmp(&log->topics[0], &hash, sizeof(hash)) != 0)
        return err_set(err, E_PEER, "ABI: the log is not %s", e->name);
    if (log->n_topics - 1 != h.topics.t[0].children)
        return err_set(err, E_PEER, "ABI: %zu topics are not those of %s", log->n_topics, e->name);
    rc = abi_tree_decode(&h.data, log->data, a, &in_data, err);
    if (rc != E_OK)
        return rc;
    value.n = h.all.t[0].children;
    value.items = arena_alloc(a, (value.n + 1) * sizeof(*value.items));
    rc = merge(&h, log->topics + 1, &in_data, &value, err);
    if (rc == E_OK)
        *out = value;
    return rc;
}

enum err_code upstream_log_encode(const struct upstream_entry *e, const struct abi_node *args,
                                  struct digest topics[4], size_t *n_topics, struct buf *data,
                                  struct err *err)
{
    struct abi_node rest[ABI_TYPES_MAX];
    struct abi_node in_data = {.items = rest};
    const struct abi_type *t;
    size_t topic = 1;
    struct halves h;
    enum err_code rc = halves_of(e, &h, err);

    if (rc != E_OK)
        return rc;
    if (args->n != h.all.t[0].children)
        return err_set(err, E_RANGE, "%s takes %u arguments", e->name, h.all.t[0].children);
    topics[0] = upstream_hash(e);
    t = h.all.t + 1;
    for (size_t i = 0; i < args->n; i++, t += t->span) {
        if (!t->indexed) {
            rest[in_data.n++] = args->items[i];
            continue;
        }
        if (!abi_word_fits(t, args->items[i].word))
            return err_set(err, E_RANGE, "a value does not fit %.*s", (int)t->word.n, t->word.s);
        memcpy(topics[topic++].b, args->items[i].word, sizeof(topics->b));
    }
    rc = abi_tree_encode(&h.data, &in_data, data, err);
    if (rc == E_OK)
        *n_topics = topic;
    return rc;
}
