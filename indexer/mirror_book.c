/* SPDX-License-Identifier: MIT */
/* From upstream's logs to rows: which argument of which event means what is a table. */
#include "core/money.h"
#include "core/origin.h"
#include "eth/upstream.h"
#include "indexer/mirror.h"
#include "lib/log.h"

#define CALLS_MAX 500
#define NONE      (-1)

static const struct rule {
    const char *event;
    const char *kind;   /* mirror_event.kind */
    enum id_kind of;    /* of argument `subject` */
    int subject;        /* which argument is the address it is about */
    const char *object; /* mirror_object.kind when this event makes one */
    enum id_kind parent_of;
    int parent;
    int actor;
    int number;
} rules[] = {
    {"SourcePublished", "published", ID_SOURCE, 0, "source", ID_SOURCE, NONE, NONE, NONE},
    {"SourceUpdated", "updated", ID_SOURCE, 0, NULL, ID_SOURCE, NONE, NONE, NONE},
    {"SourceStatusChanged", "status", ID_SOURCE, 0, NULL, ID_SOURCE, NONE, NONE, 1},
    {"TaskPublished", "published", ID_TASK, 0, "task", ID_SOURCE, 1, NONE, NONE},
    {"TaskStatusChanged", "status", ID_TASK, 0, NULL, ID_TASK, NONE, NONE, 1},
    {"Attempted", "attempted", ID_TASK, 0, NULL, ID_TASK, NONE, 1, 2},
    {"ResponseSubmitted", "submitted", ID_RESPONSE, 0, "response", ID_TASK, 1, NONE, NONE},
    {"ResponseStatusChanged", "status", ID_RESPONSE, 0, NULL, ID_RESPONSE, NONE, NONE, 1},
};

static struct address address_in(const struct abi_node *args, int i)
{
    struct address a;

    memcpy(a.b, args->items[i].word + 12, sizeof(a.b));
    return a;
}

static struct bytes address_bytes(struct arena *arena, struct address a)
{
    return arena_bytes(arena, bytes_of(a.b, sizeof(a.b)));
}

static void fill(struct mirror *m, const struct rule *rule, const struct rpc_log *log,
                 const struct abi_node *args, struct sql_mirror_book *in)
{
    struct address subject = address_in(args, rule->subject);

    *in = (struct sql_mirror_book){.chain_id = (int64_t)m->chain_id,
                                   .block_no = (int64_t)log->block,
                                   .log_index = (int32_t)log->index,
                                   .block_hash =
                                       bytes_of(log->block_hash.b, sizeof(log->block_hash.b)),
                                   .tx_hash = bytes_of(log->tx_hash.b, sizeof(log->tx_hash.b)),
                                   .kind = text_of(rule->kind),
                                   .subject = origin_chain_id(rule->of, m->chain_id, subject),
                                   .address = address_bytes(m->arena, subject),
                                   .object = text_of(rule->object)};
    if (rule->actor != NONE)
        in->actor = address_bytes(m->arena, address_in(args, rule->actor));
    if (rule->number != NONE) {
        in->has_number = true;
        in->number = wei_from_be(args->items[rule->number].word);
    }
    if (rule->parent != NONE) {
        struct address parent = address_in(args, rule->parent);

        in->parent = origin_chain_id(rule->parent_of, m->chain_id, parent);
        in->parent_address = address_bytes(m->arena, parent);
    }
}

/* The row of one log; false for what is none of ours. */
static bool row_of(struct mirror *m, const struct rpc_log *log, struct sql_mirror_book *in)
{
    const struct upstream_entry *e =
        log->abi.n_topics > 0 ? upstream_by_topic(UPSTREAM_NEXUS, log->abi.topics) : NULL;
    struct abi_node args;
    struct err err = {0};

    for (size_t i = 0; e && i < ARRAY_LEN(rules); i++) {
        if (strcmp(rules[i].event, e->name) != 0)
            continue;
        if (log->index > INT32_MAX || log->block > INT64_MAX)
            return false;
        if (upstream_log_decode(e, &log->abi, m->arena, &args, &err) != E_OK) {
            log_warn("log_skipped", "event=%s block=%llu text=%s", e->name,
                     (unsigned long long)log->block, err.text);
            return false;
        }
        fill(m, &rules[i], log, &args, in);
        return true;
    }
    return false;
}

enum err_code mirror_book(struct mirror *m, const struct rpc_log *logs, size_t n, struct err *err)
{
    struct sql_mirror_book *in = arena_alloc(m->arena, (CALLS_MAX + 1) * sizeof(*in));
    size_t found = 0;

    for (size_t i = 0; i < n; i++) {
        enum err_code rc = E_OK;
        const void *rows;
        size_t n_rows;

        found += row_of(m, &logs[i], &in[found]);
        if (found == CALLS_MAX || (i == n - 1 && found > 0)) {
            rc = db_run(m->db, SQL_MIRROR_BOOK, in, found, m->arena, &rows, &n_rows, err);
            found = 0;
        }
        if (rc != E_OK)
            return rc;
    }
    return E_OK;
}
