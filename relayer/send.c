/* SPDX-License-Identifier: MIT */
/*
 * The life of a batch's transactions. All of them share one nonce, so at most one is ever mined;
 * which one is told by receipts alone. Bytes are stored before they leave, and said again whenever
 * the node may have forgotten them.
 */
#include "core/money.h"
#include "eth/abi.h"
#include "eth/tx.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "relayer/relayer.h"

/* settle() costs about 54,000 gas and 270 an entry (tests/contracts, gas); the rest is room for a
 * colder chain. */
#define GAS_BASE  250000
#define GAS_ENTRY 700

static enum err_code run_outcome(struct relayer *r, enum sql_id stmt, const void *in,
                                 struct text *outcome, struct err *err)
{
    /* chain_tx_store and chain_tx_seen both answer (call, outcome). */
    _Static_assert(sizeof(struct sql_chain_tx_store_row) == sizeof(struct sql_chain_tx_seen_row),
                   "row shapes differ");
    const struct sql_chain_tx_store_row *row;
    const void *rows;
    size_t n;
    enum err_code rc = db_run(r->db, stmt, in, 1, r->arena, &rows, &n, err);

    if (rc != E_OK)
        return rc;
    row = rows;
    *outcome = row->outcome;
    return E_OK;
}

static enum err_code seen(struct relayer *r, struct bytes hash, const char *state, int64_t block,
                          struct err *err)
{
    struct sql_chain_tx_seen in = {
        .hash = hash, .state = text_of(state), .block_no = block, .has_block_no = block >= 0};
    struct text outcome;

    return run_outcome(r, SQL_CHAIN_TX_SEEN, &in, &outcome, err);
}

static enum err_code fees_now(struct relayer *r, struct fees *out, struct err *err)
{
    uint64_t base;
    uint64_t tip = 0;
    enum err_code rc =
        r->legacy ? rpc_gas_price(r->rpc, &base, err) : rpc_fees(r->rpc, &base, &tip, err);

    if (rc != E_OK)
        return rc;
    /* A legacy price is already what one pays; doubling it would be a gift to the miner. */
    *out = r->legacy ? (struct fees){.max_fee = base < r->cap.max_fee ? base : r->cap.max_fee}
                     : fees_first(base, tip, &r->cap);
    return E_OK;
}

/* The lane's next nonce: our own record, and for a key that never signed here what the chain says.
 */
static enum err_code next_nonce(struct relayer *r, uint64_t *out, struct err *err)
{
    struct sql_sender_nonce in = {.sender = bytes_of(r->sender.b, sizeof(r->sender.b))};
    const struct sql_sender_nonce_row *row;
    const void *rows;
    size_t n;
    enum err_code rc = db_run(r->db, SQL_SENDER_NONCE, &in, 1, r->arena, &rows, &n, err);

    if (rc != E_OK)
        return rc;
    row = rows;
    if (row->next >= 0) {
        *out = (uint64_t)row->next;
        return E_OK;
    }
    return rpc_nonce(r->rpc, r->sender, "latest", out, err);
}

static enum err_code call_data(const struct batch *batch, struct buf *out, struct err *err)
{
    const struct abi_value args[] = {
        abi_u64((uint64_t)batch->epoch), abi_u64((uint64_t)batch->increase_units),
        abi_digest(batch->score_root), abi_digest(batch->log_root), abi_bytes(batch->entries)};

    return abi_call(ABI_SETTLE, args, ARRAY_LEN(args), out, err);
}

/* Signs the call; `row` has the nonce and gets hash and bytes, in the arena. */
static enum err_code sign(struct relayer *r, const struct batch *batch, const struct fees *fees,
                          struct sql_chain_tx_store *row, struct err *err)
{
    struct tx tx = {.type = r->legacy ? TX_LEGACY : TX_EIP1559,
                    .chain_id = r->chain_id,
                    .nonce = (uint64_t)row->nonce,
                    .gas = GAS_BASE + GAS_ENTRY * (batch->entries.n / 10),
                    .max_fee = fees->max_fee,
                    .priority_fee = fees->tip,
                    .to = r->settlement};
    struct buf data = {0};
    struct buf bytes = {0};
    struct digest digest = {{0}};
    struct digest tx_hash = {{0}};
    enum err_code rc = call_data(batch, &data, err);

    if (rc == E_OK) {
        tx.data = bytes_of(data.p, data.n);
        rc = tx_sign_digest(&tx, &digest, err);
    }
    if (rc == E_OK) {
        struct signature sig = signer_sign(r->signer, digest);

        rc = tx_encode(&tx, &sig, &bytes, &tx_hash, err);
    }
    if (rc == E_OK) {
        row->raw = arena_bytes(r->arena, bytes_of(bytes.p, bytes.n));
        row->hash = arena_bytes(r->arena, bytes_of(tx_hash.b, sizeof(tx_hash.b)));
    }
    buf_done(&data);
    buf_done(&bytes);
    return rc;
}

/* Hands bytes to the node. Its refusal decides nothing: a twin may be known or mined already;
 * receipts will tell. */
static enum err_code broadcast(struct relayer *r, struct bytes hash, struct bytes raw,
                               struct err *err)
{
    struct err refusal = {0};
    struct digest told;

    if (!db_lock_held(r->db, RELAYER_LOCK))
        return err_set(err, E_BUSY, "the relayer's lock is gone: another may hold the key's lane");
    if (rpc_send_raw(r->rpc, raw, &told, &refusal) != E_OK)
        log_warn("node_refused", "code=%lld text=%s", (long long)rpc_error_code(r->rpc),
                 refusal.text);
    return seen(r, hash, "sent", -1, err);
}

static enum err_code offer(struct relayer *r, const struct batch *batch, uint64_t nonce,
                           const struct fees *fees, struct err *err)
{
    struct sql_chain_tx_store in = {.batch = batch->id,
                                    .sender = bytes_of(r->sender.b, sizeof(r->sender.b)),
                                    .nonce = (int64_t)nonce};
    struct text outcome;
    enum err_code rc = sign(r, batch, fees, &in, err);

    if (rc != E_OK)
        return rc;
    in.max_fee = wei_from_u64(fees->max_fee);
    in.tip = wei_from_u64(fees->tip);
    rc = run_outcome(r, SQL_CHAIN_TX_STORE, &in, &outcome, err);
    if (rc != E_OK)
        return rc;
    if (!text_is(outcome, "ok"))
        return err_set(err, E_NONCE_USED, "nonce %llu belongs to another batch",
                       (unsigned long long)nonce);
    log_info("signed", "epoch=%lld nonce=%llu max_fee=%llu", (long long)batch->epoch,
             (unsigned long long)nonce, (unsigned long long)fees->max_fee);
    return broadcast(r, in.hash, in.raw, err);
}

/* Looks at every hash of the batch. @mined whether one of them is in a block now */
static enum err_code watch(struct relayer *r, const struct batch *batch,
                           const struct sql_chain_tx_list_row *txs, size_t n, bool *mined,
                           struct err *err)
{
    *mined = false;
    for (size_t i = 0; i < n; i++) {
        struct rpc_receipt receipt;
        struct digest hash;
        enum err_code rc;

        memcpy(hash.b, txs[i].hash.p, sizeof(hash.b));
        rc = rpc_receipt(r->rpc, hash, &receipt, err);
        if (rc == E_NOT_FOUND) {
            /* Mined once and gone again: a reorg took it out. */
            if (text_is(txs[i].state, "mined")) {
                log_warn("reorged", "epoch=%lld", (long long)batch->epoch);
                rc = seen(r, txs[i].hash, "sent", -1, err);
                if (rc != E_OK)
                    return rc;
            }
            continue;
        }
        if (rc != E_OK)
            return rc;
        *mined = true;
        if (!receipt.success)
            return err_set(err, E_INTERNAL,
                           "settle of epoch %lld reverted in block %llu: settlement stops here",
                           (long long)batch->epoch, (unsigned long long)receipt.block);
        if (!text_is(txs[i].state, "mined"))
            log_info("mined", "epoch=%lld block=%llu", (long long)batch->epoch,
                     (unsigned long long)receipt.block);
        rc = seen(r, txs[i].hash, "mined", (int64_t)receipt.block, err);
        if (rc != E_OK)
            return rc;
    }
    return E_OK;
}

static uint64_t small(struct wei w)
{
    return w.limb[0]; /* ours: stored from a uint64_t */
}

/* Nothing mined: say the newest again, or replace it when it has waited long. */
static enum err_code push(struct relayer *r, const struct batch *batch,
                          const struct sql_chain_tx_list_row *newest, struct err *err)
{
    int64_t now = clock_wall_us();
    struct fees last = {.max_fee = small(newest->max_fee), .tip = small(newest->tip)};
    struct fees fresh;
    struct fees next;
    struct err full = {0};
    enum err_code rc;

    if (now - newest->created_at >= r->bump_s * 1000000) {
        rc = fees_now(r, &fresh, err);
        if (rc != E_OK)
            return rc;
        if (fees_bump(&last, &fresh, &r->cap, &next, &full) == E_OK)
            return offer(r, batch, (uint64_t)newest->nonce, &next, err);
        log_warn("fee_cap", "epoch=%lld text=%s", (long long)batch->epoch, full.text);
    }
    if (text_is(newest->state, "signed") || now - newest->updated_at >= r->resend_s * 1000000)
        return broadcast(r, newest->hash, newest->raw, err);
    return E_OK;
}

enum err_code relayer_send(struct relayer *r, const struct batch *batch, struct err *err)
{
    struct sql_chain_tx_list in = {.batch = batch->id};
    const struct sql_chain_tx_list_row *txs;
    struct fees fees;
    uint64_t nonce;
    const void *rows;
    size_t n;
    bool mined;
    enum err_code rc = db_run(r->db, SQL_CHAIN_TX_LIST, &in, 1, r->arena, &rows, &n, err);

    if (rc != E_OK)
        return rc;
    txs = rows;
    if (n > 0) {
        rc = watch(r, batch, txs, n, &mined, err);
        return rc != E_OK || mined ? rc : push(r, batch, &txs[0], err);
    }
    rc = next_nonce(r, &nonce, err);
    if (rc == E_OK)
        rc = fees_now(r, &fees, err);
    return rc == E_OK ? offer(r, batch, nonce, &fees, err) : rc;
}
