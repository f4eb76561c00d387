/* SPDX-License-Identifier: MIT */
/* What is booked as final stands on these: blocks and logs. */
#include <string.h>

#include "eth/rpc_node.h"
#include "eth/rpc_shape.h"

/* ---- blocks ---- */

static enum err_code read_block(const json_t *v, struct rpc_block *out, struct err *err)
{
    struct rpc_block b = {.base_fee = 0};
    enum err_code rc;

    if (json_is_null(v))
        return err_set(err, E_NOT_FOUND, "eth_getBlockByNumber: nothing there");
    if (!json_is_object(v))
        return err_set(err, E_PEER, "eth_getBlockByNumber: no object");
    rc = shape_u64(json_object_get(v, "number"), "block number", &b.number, err);
    if (rc == E_OK)
        rc = shape_u64(json_object_get(v, "timestamp"), "block time", &b.time, err);
    if (rc == E_OK && json_object_get(v, "baseFeePerGas"))
        rc = shape_u64(json_object_get(v, "baseFeePerGas"), "base fee", &b.base_fee, err);
    if (rc == E_OK)
        rc = shape_fixed(json_object_get(v, "hash"), "block hash", b.hash.b, 32, err);
    if (rc == E_OK)
        rc = shape_fixed(json_object_get(v, "parentHash"), "parent hash", b.parent.b, 32, err);
    if (rc == E_OK)
        *out = b;
    return rc;
}

/* That there is no such block is an answer too. */
static enum err_code print_block(const json_t *v, const void *of, struct buf *out, struct err *err)
{
    struct rpc_block b;
    enum err_code rc = read_block(v, &b, err);

    (void)of;
    if (rc != E_OK)
        return rc == E_NOT_FOUND ? E_OK : rc;
    rc = buf_add(out, &b.number, sizeof(b.number), err);
    if (rc == E_OK)
        rc = buf_add(out, &b.time, sizeof(b.time), err);
    if (rc == E_OK)
        rc = buf_add(out, b.hash.b, sizeof(b.hash.b), err);
    return rc == E_OK ? buf_add(out, b.parent.b, sizeof(b.parent.b), err) : rc;
}

enum err_code rpc_block(struct rpc *r, const char *tag, struct rpc_block *out, struct err *err)
{
    json_t *v = NULL;
    enum err_code rc = rpc_call(r, "eth_getBlockByNumber", json_pack("[s, b]", tag, 0), &v, err);

    if (rc == E_OK)
        rc = read_block(v, out, err);
    json_decref(v);
    return rc;
}

enum err_code rpc_agreed_block(struct rpc *r, uint64_t number, struct rpc_block *out,
                               struct err *err)
{
    const struct rpc_question q = {"eth_getBlockByNumber", print_block, NULL};
    char tag[RPC_TAG_MAX];
    json_t *v = NULL;
    enum err_code rc;

    rpc_tag(number, tag);
    rc = rpc_agreed(r, &q, json_pack("[s, b]", tag, 0), &v, err);
    if (rc == E_OK)
        rc = read_block(v, out, err);
    json_decref(v);
    return rc;
}

/* ---- logs ---- */

enum err_code rpc_log_read(const json_t *v, struct arena *a, struct rpc_log *out, struct err *err)
{
    const json_t *topics = json_object_get(v, "topics");
    struct digest *words;
    enum err_code rc = E_OK;

    if (!json_is_array(topics) || json_array_size(topics) > 4)
        return err_set(err, E_PEER, "the node's log has no list of up to 4 topics");
    if (json_is_true(json_object_get(v, "removed")))
        return err_set(err, E_PEER, "the node sent a removed log");
    out->abi.n_topics = json_array_size(topics);
    out->abi.topics = words = arena_alloc(a, (out->abi.n_topics + 1) * sizeof(*words));
    for (size_t i = 0; i < out->abi.n_topics && rc == E_OK; i++)
        rc = shape_fixed(json_array_get(topics, i), "topic", words[i].b, 32, err);
    if (rc == E_OK)
        rc = shape_fixed(json_object_get(v, "address"), "log address", out->address.b, 20, err);
    if (rc == E_OK)
        rc = shape_bytes(json_object_get(v, "data"), "log data", a, &out->abi.data, err);
    if (rc == E_OK)
        rc = shape_u64(json_object_get(v, "blockNumber"), "log block", &out->block, err);
    if (rc == E_OK)
        rc = shape_fixed(json_object_get(v, "blockHash"), "log block hash", out->block_hash.b, 32,
                         err);
    if (rc == E_OK)
        rc = shape_fixed(json_object_get(v, "transactionHash"), "log transaction", out->tx_hash.b,
                         32, err);
    return rc == E_OK ? shape_u64(json_object_get(v, "logIndex"), "log index", &out->index, err)
                      : rc;
}

static bool is_one_of(struct address a, const struct address *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(list[i].b, a.b, sizeof(a.b)) == 0)
            return true;
    return false;
}

/* What was asked for, in order, and of one chain: a node that ignores the filter must not feed us.
 */
static enum err_code check_log(const struct rpc_log *log, const struct rpc_log *before,
                               const struct rpc_filter *f, struct err *err)
{
    if (log->block < f->from || log->block > f->to)
        return err_set(err, E_PEER, "the node sent a log of a block not asked for");
    if (!is_one_of(log->address, f->contracts, f->n_contracts))
        return err_set(err, E_PEER, "the node sent a log of a contract not asked for");
    if (before && (log->block < before->block ||
                   (log->block == before->block && log->index <= before->index)))
        return err_set(err, E_PEER, "the node's logs are out of order");
    if (before && log->block == before->block &&
        memcmp(&log->block_hash, &before->block_hash, sizeof(log->block_hash)) != 0)
        return err_set(err, E_PEER, "the node's logs of one block name two");
    return E_OK;
}

static json_t *filter_json(const struct rpc_filter *f)
{
    char low[RPC_TAG_MAX];
    char high[RPC_TAG_MAX];
    json_t *addresses = json_array();

    for (size_t i = 0; i < f->n_contracts; i++)
        json_array_append_new(addresses, shape_json(f->contracts[i].b, sizeof(f->contracts[i].b)));
    rpc_tag(f->from, low);
    rpc_tag(f->to, high);
    return json_pack("[{s:s, s:s, s:o}]", "fromBlock", low, "toBlock", high, "address", addresses);
}

static enum err_code read_logs(const json_t *v, const struct rpc_filter *f, struct arena *a,
                               struct rpc_log **out, size_t *n, struct err *err)
{
    size_t count = json_array_size(v);
    struct rpc_log *logs = arena_alloc(a, (count + 1) * sizeof(*logs));
    enum err_code rc = E_OK;

    if (!json_is_array(v))
        return err_set(err, E_PEER, "eth_getLogs: no list");
    for (size_t i = 0; i < count && rc == E_OK; i++) {
        rc = rpc_log_read(json_array_get(v, i), a, &logs[i], err);
        if (rc == E_OK)
            rc = check_log(&logs[i], i > 0 ? &logs[i - 1] : NULL, f, err);
    }
    if (rc == E_OK) {
        *out = logs;
        *n = count;
    }
    return rc;
}

/* All that is booked by, and nothing that clients add of their own. */
static enum err_code print_log(const struct rpc_log *log, struct buf *out, struct err *err)
{
    const uint64_t sizes[] = {log->block, log->index, log->abi.n_topics, log->abi.data.n};
    const struct bytes parts[] = {
        bytes_of(sizes, sizeof(sizes)),
        bytes_of(log->block_hash.b, sizeof(log->block_hash.b)),
        bytes_of(log->tx_hash.b, sizeof(log->tx_hash.b)),
        bytes_of(log->address.b, sizeof(log->address.b)),
        bytes_of(log->abi.topics, log->abi.n_topics * sizeof(*log->abi.topics)),
        log->abi.data,
    };
    enum err_code rc = E_OK;

    for (size_t i = 0; i < ARRAY_LEN(parts) && rc == E_OK; i++)
        rc = buf_add(out, parts[i].p, parts[i].n, err);
    return rc;
}

static enum err_code print_logs(const json_t *v, const void *of, struct buf *out, struct err *err)
{
    struct arena *a = arena_new();
    struct rpc_log *logs;
    size_t n = 0;
    enum err_code rc = read_logs(v, of, a, &logs, &n, err);

    for (size_t i = 0; i < n && rc == E_OK; i++)
        rc = print_log(&logs[i], out, err);
    arena_free(a);
    return rc;
}

enum err_code rpc_logs(struct rpc *r, const struct rpc_filter *f, struct arena *a,
                       struct rpc_log **out, size_t *n, struct err *err)
{
    const struct rpc_question q = {"eth_getLogs", print_logs, f};
    json_t *v = NULL;
    enum err_code rc = rpc_agreed(r, &q, filter_json(f), &v, err);

    if (rc == E_OK)
        rc = read_logs(v, f, a, out, n, err);
    json_decref(v);
    return rc;
}
