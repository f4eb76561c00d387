/* SPDX-License-Identifier: MIT */
/* What the market takes, from the chain's own history and not from a node's opinion. */
#include <stdlib.h>

#include "eth/rpc.h"
#include "eth/rpc_shape.h"

/* Blocks asked for, and which of the tips paid in each: the middle one by gas. */
#define BLOCKS     10
#define PERCENTILE 50

static int by_size(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* The median of what blocks with transactions took; 0 when all were empty. */
static enum err_code middle(const json_t *rewards, uint64_t *out, struct err *err)
{
    uint64_t paid[BLOCKS] = {0};
    size_t blocks = json_array_size(rewards);
    size_t n = 0;

    for (size_t i = 0; i < blocks && n < BLOCKS; i++) {
        uint64_t tip = 0;
        const json_t *row = json_array_get(rewards, i);
        enum err_code rc = shape_u64(json_array_get(row, 0), "priority fee", &tip, err);

        if (rc != E_OK)
            return rc;
        if (tip > 0)
            paid[n++] = tip;
    }
    qsort(paid, n, sizeof(paid[0]), by_size);
    *out = n > 0 ? paid[n / 2] : 0;
    return E_OK;
}

/* What the node would pay: for a chain on which nobody has paid anything lately. */
static enum err_code suggested(struct rpc *r, uint64_t *out, struct err *err)
{
    json_t *v = NULL;
    enum err_code rc = rpc_call(r, "eth_maxPriorityFeePerGas", json_array(), &v, err);

    if (rc == E_OK)
        rc = shape_u64(v, "priority fee", out, err);
    json_decref(v);
    return rc;
}

enum err_code rpc_fees(struct rpc *r, uint64_t *base_fee, uint64_t *priority_fee, struct err *err)
{
    json_t *v = NULL;
    const json_t *fees;
    struct err ignored = {0};
    uint64_t base = 0;
    uint64_t tip = 0;
    char blocks[RPC_TAG_MAX];
    enum err_code rc;

    rpc_tag(BLOCKS, blocks);
    rc = rpc_call(r, "eth_feeHistory", json_pack("[s, s, [i]]", blocks, "latest", PERCENTILE), &v,
                  err);
    if (rc != E_OK)
        return rc;
    fees = json_object_get(v, "baseFeePerGas"); /* the last one is the next block's */
    rc = shape_u64(json_array_get(fees, json_array_size(fees) - 1), "base fee", &base, err);
    if (rc == E_OK && middle(json_object_get(v, "reward"), &tip, &ignored) != E_OK)
        tip = 0;
    json_decref(v);
    if (rc == E_OK && tip == 0)
        rc = suggested(r, &tip, err);
    if (rc != E_OK)
        return rc;
    *base_fee = base;
    *priority_fee = tip;
    return E_OK;
}
