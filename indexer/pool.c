/* SPDX-License-Identifier: MIT */
/* Deposits are the only way into the pool, and the Vault adds them up itself. */
#include "indexer/pool.h"

#include "core/money.h"
#include "lib/log.h"

/* All that was booked before the range. */
static enum err_code booked_before(struct indexer *ix, uint64_t from, struct wei *out,
                                   struct err *err)
{
    const struct sql_deposits_before in = {.block_no = (int64_t)from};
    const struct sql_deposits_before_row *row;
    const void *rows;
    size_t n;
    enum err_code rc = db_run(ix->db, SQL_DEPOSITS_BEFORE, &in, 1, ix->arena, &rows, &n, err);

    if (rc != E_OK)
        return rc;
    row = rows;
    *out = row->total;
    return E_OK;
}

/* The deposits among a range's logs, on top of `sum`. */
static enum err_code add_told(const struct indexer *ix, const struct scan_range *range,
                              struct wei *sum, struct err *err)
{
    struct digest deposited = abi_topic(ABI_EV_DEPOSITED);
    enum err_code rc = E_OK;

    for (size_t i = 0; i < range->n && rc == E_OK; i++) {
        const struct rpc_log *log = &range->logs[i];
        struct abi_value v[3];

        if (log->abi.n_topics == 0 ||
            memcmp(&log->abi.topics[0], &deposited, sizeof(deposited)) != 0 ||
            memcmp(&log->address, &ix->vault, sizeof(ix->vault)) != 0)
            continue;
        rc = abi_event(ABI_EV_DEPOSITED, &log->abi, v, ARRAY_LEN(v), err);
        if (rc == E_OK && wei_add(*sum, wei_from_be(v[2].word), sum, err) != E_OK)
            rc = err_set(err, E_PEER, "the logs tell of more than there can be");
    }
    return rc;
}

/* What the Vault says was deposited by the end of a block. */
static enum err_code ask_vault(struct indexer *ix, uint64_t block, struct wei *out, struct err *err)
{
    struct buf call = {0};
    struct bytes data = {0};
    struct abi_value v;
    char tag[RPC_TAG_MAX];
    enum err_code rc = abi_call(ABI_VAULT_TOTAL, NULL, 0, &call, err);

    rpc_tag(block, tag);
    if (rc == E_OK) {
        const struct rpc_view view = {ix->vault, bytes_of(call.p, call.n), tag};

        rc = rpc_agreed_read(ix->rpc, &view, ix->arena, &data, err);
    }
    buf_done(&call);
    if (rc == E_OK)
        rc = abi_decode("(uint256)", data, &v, 1, err);
    if (rc == E_OK)
        *out = wei_from_be(v.word);
    return rc;
}

/* A node behind the others soon knows the block; one that has pruned it never will. */
static enum err_code no_answer(struct indexer *ix, uint64_t block, enum err_code rc,
                               const struct err *why)
{
    if (++ix->unanswered < POOL_TRIES)
        return rc;
    if (ix->unanswered == POOL_TRIES)
        log_warn("deposits_unchecked", "block=%llu text=%s", (unsigned long long)block, why->text);
    ix->unanswered = POOL_TRIES;
    ix->figures.unchecked++;
    return E_OK;
}

enum err_code indexer_pool_check(struct indexer *ix, const struct scan_range *range,
                                 struct err *err)
{
    char chain[WEI_TEXT_MAX];
    char books[WEI_TEXT_MAX];
    struct err why = {0};
    struct wei told;
    struct wei sum;
    enum err_code rc = booked_before(ix, range->from, &told, err);

    if (rc == E_OK)
        rc = add_told(ix, range, &told, err);
    if (rc != E_OK)
        return rc;
    rc = ask_vault(ix, range->to, &sum, &why);
    if (rc != E_OK) {
        rc = no_answer(ix, range->to, rc, &why);
        if (rc != E_OK)
            *err = why;
        return rc;
    }
    ix->unanswered = 0;
    if (wei_cmp(sum, told) == 0)
        return E_OK;
    wei_format(sum, chain);
    wei_format(told, books);
    return err_set(
        err, E_DIGEST_MISMATCH,
        "the vault counts %s wei deposited by block %llu, the logs %s: nothing is booked", chain,
        (unsigned long long)range->to, books);
}
