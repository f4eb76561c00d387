/* SPDX-License-Identifier: MIT */
/* The typed calls: receipts, transactions, fees, state. Blocks and logs: eth/rpc_facts.c. */
#include <stdlib.h>
#include <string.h>

#include "eth/rpc_node.h"
#include "eth/rpc_shape.h"

/* A call whose result is one quantity. */
static enum err_code call_u64(struct rpc *r, const char *method, json_t *params, uint64_t *out,
                              struct err *err)
{
    json_t *v = NULL;
    enum err_code rc = rpc_call(r, method, params, &v, err);

    if (rc == E_OK)
        rc = shape_u64(v, method, out, err);
    json_decref(v);
    return rc;
}

/* A call whose result is an object; null is E_NOT_FOUND. */
static enum err_code call_object(struct rpc *r, const char *method, json_t *params, json_t **out,
                                 struct err *err)
{
    json_t *v = NULL;
    enum err_code rc = rpc_call(r, method, params, &v, err);

    if (rc != E_OK)
        return rc;
    if (json_is_object(v)) {
        *out = v;
        return E_OK;
    }
    rc = json_is_null(v) ? E_NOT_FOUND : E_PEER;
    json_decref(v);
    return err_set(err, rc, "%s: %s", method, rc == E_PEER ? "no object" : "nothing there");
}

static json_t *one(json_t *v)
{
    return json_pack("[o]", v);
}

static json_t *address_and_tag(struct address a, const char *tag)
{
    return json_pack("[o, s]", shape_json(a.b, sizeof(a.b)), tag);
}

enum err_code rpc_chain_id(struct rpc *r, uint64_t *out, struct err *err)
{
    return call_u64(r, "eth_chainId", json_array(), out, err);
}

enum err_code rpc_block_number(struct rpc *r, uint64_t *out, struct err *err)
{
    return call_u64(r, "eth_blockNumber", json_array(), out, err);
}

enum err_code rpc_nonce(struct rpc *r, struct address a, const char *tag, uint64_t *out,
                        struct err *err)
{
    return call_u64(r, "eth_getTransactionCount", address_and_tag(a, tag), out, err);
}

enum err_code rpc_gas_price(struct rpc *r, uint64_t *out, struct err *err)
{
    return call_u64(r, "eth_gasPrice", json_array(), out, err);
}

/* ---- transactions ---- */

static enum err_code read_receipt(const json_t *v, void *out, struct err *err)
{
    struct rpc_receipt got = {.success = false};
    const json_t *contract = json_object_get(v, "contractAddress");
    uint64_t status = 0;
    enum err_code rc = shape_u64(json_object_get(v, "status"), "receipt status", &status, err);

    if (rc == E_OK)
        rc = shape_u64(json_object_get(v, "blockNumber"), "receipt block", &got.block, err);
    if (rc == E_OK)
        rc = shape_fixed(json_object_get(v, "blockHash"), "receipt block hash", got.block_hash.b,
                         32, err);
    if (rc == E_OK)
        rc = shape_u64(json_object_get(v, "gasUsed"), "gas used", &got.gas_used, err);
    if (rc == E_OK && json_object_get(v, "effectiveGasPrice"))
        rc = shape_u64(json_object_get(v, "effectiveGasPrice"), "gas price", &got.gas_price, err);
    if (rc == E_OK && json_is_string(contract)) {
        got.has_contract = true;
        rc = shape_fixed(contract, "contract address", got.contract.b, 20, err);
    }
    got.success = status == 1;
    if (rc == E_OK)
        *(struct rpc_receipt *)out = got;
    return rc;
}

enum err_code rpc_receipt(struct rpc *r, struct digest tx, struct rpc_receipt *out, struct err *err)
{
    return rpc_any_receipt(r, tx, read_receipt, out, err);
}

struct outcome_reader {
    struct arena *arena;
    struct rpc_outcome *out;
};

static enum err_code read_outcome(const json_t *v, void *to, struct err *err)
{
    const struct outcome_reader *reader = to;
    struct rpc_outcome got = {.n_logs = 0};
    const json_t *logs = json_object_get(v, "logs");
    enum err_code rc = read_receipt(v, &got.receipt, err);

    if (rc == E_OK && !json_is_array(logs))
        rc = err_set(err, E_PEER, "the receipt has no list of logs");
    if (rc == E_OK)
        got.logs = arena_alloc(reader->arena, (json_array_size(logs) + 1) * sizeof(*got.logs));
    for (size_t i = 0; rc == E_OK && i < json_array_size(logs); i++)
        rc = rpc_log_read(json_array_get(logs, i), reader->arena, &got.logs[got.n_logs++], err);
    if (rc == E_OK)
        *reader->out = got;
    return rc;
}

enum err_code rpc_outcome(struct rpc *r, struct digest tx, struct arena *a, struct rpc_outcome *out,
                          struct err *err)
{
    struct outcome_reader reader = {a, out};

    return rpc_any_receipt(r, tx, read_outcome, &reader, err);
}

enum err_code rpc_transaction(struct rpc *r, struct digest tx, struct arena *a, struct rpc_tx *out,
                              struct err *err)
{
    struct rpc_tx got = {.mined = false};
    const json_t *part;
    json_t *v = NULL;
    enum err_code rc =
        call_object(r, "eth_getTransactionByHash", one(shape_json(tx.b, sizeof(tx.b))), &v, err);

    if (rc == E_OK)
        rc = shape_fixed(json_object_get(v, "from"), "sender", got.from.b, 20, err);
    part = json_object_get(v, "to");
    if (rc == E_OK && json_is_string(part))
        rc = shape_fixed(part, "receiver", got.to.b, 20, err);
    if (rc == E_OK)
        rc = shape_u64(json_object_get(v, "nonce"), "nonce", &got.nonce, err);
    if (rc == E_OK)
        rc = shape_bytes(json_object_get(v, "input"), "input", a, &got.input, err);
    part = json_object_get(v, "blockNumber");
    if (rc == E_OK && json_is_string(part)) {
        got.mined = true;
        rc = shape_u64(part, "block", &got.block, err);
    }
    json_decref(v);
    if (rc == E_OK)
        *out = got;
    return rc;
}

/* ---- calls, state ---- */

static json_t *call_object_of(const struct address *from, struct address to, struct bytes data)
{
    json_t *v = json_pack("{s:o, s:o}", "to", shape_json(to.b, sizeof(to.b)), "data",
                          shape_json(data.p, data.n));

    if (from)
        json_object_set_new(v, "from", shape_json(from->b, sizeof(from->b)));
    return v;
}

enum err_code rpc_estimate_gas(struct rpc *r, struct address from, struct address to,
                               struct bytes data, uint64_t *out, struct err *err)
{
    return call_u64(r, "eth_estimateGas", one(call_object_of(&from, to, data)), out, err);
}

enum err_code rpc_estimate_create(struct rpc *r, struct address from, struct bytes init,
                                  uint64_t *out, struct err *err)
{
    json_t *v = json_pack("{s:o, s:o}", "from", shape_json(from.b, sizeof(from.b)), "data",
                          shape_json(init.p, init.n));

    return call_u64(r, "eth_estimateGas", one(v), out, err);
}

static enum err_code call_bytes(struct rpc *r, const char *method, json_t *params,
                                struct arena *arena, struct bytes *out, struct err *err)
{
    json_t *v = NULL;
    enum err_code rc = rpc_call(r, method, params, &v, err);

    if (rc == E_OK)
        rc = shape_bytes(v, method, arena, out, err);
    json_decref(v);
    return rc;
}

enum err_code rpc_read(struct rpc *r, const struct rpc_view *view, struct arena *a,
                       struct bytes *out, struct err *err)
{
    json_t *params = json_pack("[o, s]", call_object_of(NULL, view->to, view->data), view->tag);

    return call_bytes(r, "eth_call", params, a, out, err);
}

/* What a contract answered, as bytes. */
static enum err_code print_bytes(const json_t *v, const void *of, struct buf *out, struct err *err)
{
    struct arena *a = arena_new();
    struct bytes data;
    enum err_code rc = shape_bytes(v, of, a, &data, err);

    if (rc == E_OK)
        rc = buf_add(out, data.p, data.n, err);
    arena_free(a);
    return rc;
}

enum err_code rpc_agreed_read(struct rpc *r, const struct rpc_view *view, struct arena *a,
                              struct bytes *out, struct err *err)
{
    const struct rpc_question q = {"eth_call", print_bytes, "eth_call"};
    json_t *v = NULL;
    enum err_code rc = rpc_agreed(
        r, &q, json_pack("[o, s]", call_object_of(NULL, view->to, view->data), view->tag), &v, err);

    if (rc == E_OK)
        rc = shape_bytes(v, q.method, a, out, err);
    json_decref(v);
    return rc;
}

enum err_code rpc_simulate(struct rpc *r, struct address from, const struct rpc_view *view,
                           struct arena *a, struct bytes *out, struct err *err)
{
    json_t *params = json_pack("[o, s]", call_object_of(&from, view->to, view->data), view->tag);

    return call_bytes(r, "eth_call", params, a, out, err);
}

enum err_code rpc_code(struct rpc *r, struct address a, const char *tag, struct arena *arena,
                       struct bytes *out, struct err *err)
{
    return call_bytes(r, "eth_getCode", address_and_tag(a, tag), arena, out, err);
}

enum err_code rpc_balance(struct rpc *r, struct address a, const char *tag, uint8_t out[32],
                          struct err *err)
{
    json_t *v = NULL;
    enum err_code rc = rpc_call(r, "eth_getBalance", address_and_tag(a, tag), &v, err);

    if (rc == E_OK)
        rc = shape_word(v, "balance", out, err);
    json_decref(v);
    return rc;
}
