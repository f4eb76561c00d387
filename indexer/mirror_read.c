/* SPDX-License-Identifier: MIT */
/* The struct inside each source, task and response contract, read at a final block. */
#include <inttypes.h>

#include "core/origin.h"
#include "eth/upstream.h"
#include "indexer/mirror.h"
#include "lib/log.h"

#define READ_MAX 32

static const struct getter {
    const char *kind;
    enum upstream_contract contract;
    const char *name;
} getters[] = {
    {"source", UPSTREAM_SOURCE, "getSourceParams"},
    {"task", UPSTREAM_TASK, "taskParams"},
    {"response", UPSTREAM_RESPONSE, "getResponseParams"},
};

/* What came back as JSON. Some getters return the struct, some its members. */
static enum err_code params_of(struct mirror *m, const struct upstream_entry *e, struct bytes data,
                               struct text *out, struct err *err)
{
    struct abi_types types;
    struct abi_node value;
    enum err_code rc = upstream_return_decode(e, data, m->arena, &value, err);

    if (rc == E_OK)
        rc = abi_types_parse(e->out, &types, err);
    if (rc != E_OK)
        return rc;
    if (types.t[0].children == 1)
        return mirror_json(&types.t[1], &value.items[0], m->arena, out, err);
    return mirror_json(&types.t[0], &value, m->arena, out, err);
}

/* `out` stays "no value" for a contract that does not answer with its struct; then `err` says why.
 * An answer that is no answer at all (no connection, too large) is an error, after it was noted. */
static enum err_code ask(struct mirror *m, const struct sql_mirror_due_row *due, const char *tag,
                         struct text *out, struct err *err)
{
    const struct upstream_entry *e = NULL;
    struct rpc_view view = {.tag = tag};
    struct buf call = {.cap = 0};
    struct abi_node none = {.n = 0};
    struct bytes data;
    enum err_code rc;

    for (size_t i = 0; i < ARRAY_LEN(getters); i++)
        if (text_is(due->kind, getters[i].kind))
            e = upstream_find(getters[i].contract, UPSTREAM_FUNCTION, getters[i].name);
    if (!e)
        return err_set(err, E_INTERNAL, "no getter for what is mirrored");
    memcpy(view.to.b, due->address.p, sizeof(view.to.b));
    rc = upstream_call_encode(e, &none, &call, err);
    view.data = bytes_of(call.p, call.n);
    if (rc == E_OK)
        rc = rpc_read(m->rpc, &view, m->arena, &data, err);
    buf_done(&call);
    if (rc != E_OK)
        return rc == E_PEER && rpc_error_code(m->rpc) != 0 ? E_OK : rc;
    rc = params_of(m, e, data, out, err);
    return rc == E_PEER ? E_OK : rc;
}

static enum err_code store(struct mirror *m, const struct sql_mirror_read *in, struct err *err)
{
    const void *rows;
    size_t n;

    return db_run(m->db, SQL_MIRROR_READ, in, 1, m->arena, &rows, &n, err);
}

static enum err_code read_one(struct mirror *m, const struct sql_mirror_due_row *due, uint64_t at,
                              struct err *err)
{
    struct sql_mirror_read in = {.id = due->id, .block_no = (int64_t)at};
    char tag[RPC_TAG_MAX];
    struct err why = {0};
    struct err put = {0};
    enum err_code rc;

    rpc_tag(at, tag);
    rc = ask(m, due, tag, &in.params, &why);
    if (!in.params.s)
        log_warn("unreadable", "kind=%.*s text=%s", (int)due->kind.n, due->kind.s, why.text);
    if (store(m, &in, &put) != E_OK) {
        *err = put;
        return put.code;
    }
    if (rc != E_OK)
        *err = why;
    return rc;
}

enum err_code mirror_read_due(struct mirror *m, uint64_t *read, struct err *err)
{
    const struct sql_mirror_due in = {.chain_id = (int64_t)m->chain_id, .max = READ_MAX};
    const struct sql_mirror_due_row *due;
    uint64_t at;
    const void *rows;
    size_t n;
    enum err_code rc = db_run(m->db, SQL_MIRROR_DUE, &in, 1, m->arena, &rows, &n, err);

    *read = 0;
    if (rc != E_OK || n == 0)
        return rc;
    due = rows;
    rc = finality_block(&m->finality, m->rpc, &at, err);
    for (; *read < n && rc == E_OK; ++*read)
        rc = read_one(m, &due[*read], at, err);
    return rc;
}
