/* SPDX-License-Identifier: MIT */
/*
 * The lane: reserve a nonce, sign, store the bytes, and only then send them. All transactions of a
 * batch share a nonce, so at most one of them is ever mined; only when a node took back that a
 * stranger had used that nonce are there two, and the contract takes an epoch once.
 */
#include "eth/abi.h"
#include "lib/killpoint.h"
#include "lib/log.h"
#include "relayer/relayer.h"

/* settle() costs about 54,000 gas and 270 an entry (tests/contracts, gas); the rest is room for a
 * colder chain. */
#define GAS_BASE  250000
#define GAS_ENTRY 700
/* A view of the contract costs about 24,000. */
#define GAS_FILLER 50000
/* 2^53: no key signs as often. */
#define COUNT_MAX ((uint64_t)1 << 53)

static uint64_t gas_limit(const struct batch *batch)
{
    return !batch ? GAS_FILLER : GAS_BASE + GAS_ENTRY * (batch->entries.n / 10);
}

static enum err_code run(struct relayer *r, enum sql_id stmt, const void *in, struct text *outcome,
                         struct err *err)
{
    const struct sql_chain_tx_store_row *row; /* of chain_tx_seen as well */
    const void *rows;
    size_t n;
    enum err_code rc = db_run(r->db, stmt, in, 1, r->arena, &rows, &n, err);

    if (rc != E_OK)
        return rc;
    row = rows;
    *outcome = row->outcome;
    return E_OK;
}

enum err_code relayer_seen(struct relayer *r, struct bytes hash, const struct sighting *what,
                           struct err *err)
{
    struct sql_chain_tx_seen in = {.hash = hash, .state = text_of(what->state)};
    struct text outcome;

    if (what->receipt) {
        in.block_no = (int64_t)what->receipt->block;
        in.gas_used = (int64_t)what->receipt->gas_used;
        in.gas_price = wei_from_u64(what->receipt->gas_price);
        in.has_block_no = in.has_gas_used = in.has_gas_price = true;
    }
    return run(r, SQL_CHAIN_TX_SEEN, &in, &outcome, err);
}

enum err_code relayer_fees_now(struct relayer *r, struct fees *out, struct err *err)
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

/* What this day has cost and may still cost, with `more` wei on top, against the budget. */
static enum err_code check_budget(struct relayer *r, const struct batch *batch,
                                  const struct fees *fees, struct err *err)
{
    struct sql_gas_spent in = {.sender = bytes_of(r->sender.b, sizeof(r->sender.b))};
    const struct sql_gas_spent_row *row;
    struct wei cost;
    const void *rows;
    size_t n;
    enum err_code rc;

    if (wei_is_zero(r->budget))
        return E_OK;
    rc = db_run(r->db, SQL_GAS_SPENT, &in, 1, r->arena, &rows, &n, err);
    if (rc != E_OK)
        return rc;
    row = rows;
    rc = fees_cost(fees, gas_limit(batch), &cost, err);
    if (rc == E_OK)
        rc = wei_add(cost, row->spent, &cost, err);
    if (rc == E_OK && wei_cmp(cost, r->budget) > 0) {
        char spent[WEI_TEXT_MAX];

        wei_format(row->spent, spent);
        alarm_raise(&r->alarms, ALARM_BUDGET, "%s wei of gas used or under way today: no more",
                    spent);
        return err_set(err, E_QUOTA, "the day's gas budget is used");
    }
    alarm_clear(&r->alarms, ALARM_BUDGET);
    return rc;
}

enum err_code relayer_count(struct relayer *r, struct address sender, const char *tag,
                            uint64_t *out, struct err *err)
{
    uint64_t count;
    enum err_code rc = rpc_nonce(r->rpc, sender, tag, &count, err);

    if (rc == E_OK && count > COUNT_MAX)
        rc = err_set(err, E_PEER, "the node counts %llu transactions", (unsigned long long)count);
    if (rc == E_OK)
        *out = count;
    return rc;
}

enum err_code relayer_count_final(struct relayer *r, struct address sender, uint64_t *out,
                                  struct err *err)
{
    char tag[RPC_TAG_MAX];
    uint64_t number;
    enum err_code rc = finality_block(&r->finality, r->rpc, &number, err);

    if (rc != E_OK)
        return rc;
    rpc_tag(number, tag);
    return relayer_count(r, sender, tag, out, err);
}

static enum err_code ask_place(struct relayer *r, const struct sql_nonce_reserve *in,
                               const struct sql_nonce_reserve_row **out, struct err *err)
{
    const void *rows;
    size_t n;
    enum err_code rc = db_run(r->db, SQL_NONCE_RESERVE, in, 1, r->arena, &rows, &n, err);

    if (rc == E_OK)
        *out = rows;
    return rc;
}

/* No place yet: the chain counts what is not ours, and it is not final, or is too much to believe.
 */
static enum err_code wait_for_strangers(struct relayer *r, const struct sql_nonce_reserve_row *row,
                                        uint64_t count, struct err *err)
{
    bool far = text_is(row->outcome, "range");

    alarm_raise(&r->alarms, ALARM_STRANGER,
                far ? "%llu transactions of this key are counted, too far beyond nonce %lld"
                    : "%llu transactions of this key are counted and not final, ours is nonce %lld",
                (unsigned long long)count, (long long)row->nonce);
    r->waits = true;
    return err_set(err, E_PEER, "the key's count of %llu is %s: waiting", (unsigned long long)count,
                   far ? "not to be believed" : "not final");
}

/* The batch's nonce, in the database before anything is signed with it. */
static enum err_code reserve(struct relayer *r, const struct batch *batch, uint64_t *out,
                             struct err *err)
{
    struct sql_nonce_reserve in = {.batch = batch->id,
                                   .sender = bytes_of(r->sender.b, sizeof(r->sender.b)),
                                   .skip = r->skip_max};
    const struct sql_nonce_reserve_row *row;
    uint64_t mined;
    uint64_t final = 0;
    enum err_code rc = relayer_count(r, r->sender, "latest", &mined, err);

    if (rc != E_OK)
        return rc;
    in.mined = (int64_t)mined;
    rc = ask_place(r, &in, &row, err);
    if (rc == E_OK && text_is(row->outcome, "busy")) {
        rc = relayer_count_final(r, r->sender, &final, err);
        if (rc == E_NOT_FOUND)
            return wait_for_strangers(r, row, mined, err);
        in.final = (int64_t) final;
        in.has_final = true;
        if (rc == E_OK)
            rc = ask_place(r, &in, &row, err);
    }
    if (rc != E_OK)
        return rc;
    if (!text_is(row->outcome, "ok"))
        return wait_for_strangers(r, row, mined, err);
    *out = (uint64_t)row->nonce;
    if (r->waits && row->strangers == 0)
        alarm_clear(&r->alarms, ALARM_STRANGER);
    r->waits = false;
    if (row->strangers > 0)
        alarm_raise(&r->alarms, ALARM_STRANGER, "%lld transactions of this key are not ours",
                    (long long)row->strangers);
    KILLPOINT("r2");
    return E_OK;
}

/* Signs the call; `row` has the nonce and gets hash and bytes, in the arena. */
static enum err_code sign(struct relayer *r, const struct batch *batch, const struct fees *fees,
                          struct sql_chain_tx_store *row, struct err *err)
{
    struct tx tx = {.type = r->legacy ? TX_LEGACY : TX_EIP1559,
                    .chain_id = r->chain_id,
                    .nonce = (uint64_t)row->nonce,
                    .gas = gas_limit(batch),
                    .max_fee = fees->max_fee,
                    .priority_fee = fees->tip,
                    .to = r->settlement};
    struct buf data = {0};
    struct buf bytes = {0};
    struct digest hash = {{0}};
    struct signature sig;
    enum err_code rc = batch ? relayer_call_data(batch, &data, err)
                             : abi_call(ABI_LAST_EPOCH, NULL, 0, &data, err);

    tx.data = bytes_of(data.p, data.n);
    if (rc == E_OK)
        rc = key_sign_tx(r->key, &tx, &sig, err);
    if (rc == E_OK)
        alarm_clear(&r->alarms, ALARM_SIGNER);
    else
        alarm_raise(&r->alarms, ALARM_SIGNER, "nonce %lld is not signed: %s", (long long)row->nonce,
                    err->text);
    if (rc == E_OK)
        rc = tx_encode(&tx, &sig, &bytes, &hash, err);
    if (rc == E_OK) {
        row->raw = arena_bytes(r->arena, bytes_of(bytes.p, bytes.n));
        row->hash = arena_bytes(r->arena, bytes_of(hash.b, sizeof(hash.b)));
        row->gas = (int64_t)tx.gas;
        row->has_gas = true;
    }
    buf_done(&data);
    buf_done(&bytes);
    return rc;
}

enum err_code relayer_broadcast(struct relayer *r, struct bytes hash, struct bytes raw,
                                struct err *err)
{
    struct err refusal = {0};
    struct digest told;
    enum err_code rc;

    if (!db_lock_held(r->db, RELAYER_LOCK))
        return err_set(err, E_BUSY, "the relayer's lock is gone: another may hold the key's lane");
    rc = rpc_send_raw(r->rpc, raw, &told, &refusal);
    KILLPOINT("r4");
    if (rc != E_OK)
        log_warn("node_refused", "code=%lld text=%s", (long long)rpc_error_code(r->rpc),
                 refusal.text);
    rc = relayer_seen(r, hash, &(struct sighting){.state = "sent"}, err);
    KILLPOINT("r5");
    return rc;
}

enum err_code relayer_put(struct relayer *r, const struct batch *batch, const struct fees *fees,
                          struct sql_chain_tx_store *in, struct err *err)
{
    struct text outcome;
    enum err_code rc = check_budget(r, batch, fees, err);

    if (rc == E_OK)
        rc = sign(r, batch, fees, in, err);
    if (rc != E_OK)
        return rc;
    if (batch)
        in->batch = batch->id;
    in->sender = bytes_of(r->sender.b, sizeof(r->sender.b));
    in->max_fee = wei_from_u64(fees->max_fee);
    in->tip = wei_from_u64(fees->tip);
    rc = run(r, SQL_CHAIN_TX_STORE, in, &outcome, err);
    if (rc != E_OK)
        return rc;
    if (!text_is(outcome, "ok"))
        return err_set(err, E_NONCE_USED, "nonce %lld belongs to another batch",
                       (long long)in->nonce);
    log_info("signed", "epoch=%lld nonce=%lld max_fee=%llu", batch ? (long long)batch->epoch : 0LL,
             (long long)in->nonce, (unsigned long long)fees->max_fee);
    return E_OK;
}

enum err_code relayer_offer(struct relayer *r, const struct batch *batch, struct err *err)
{
    struct sql_chain_tx_store in = {.nonce = 0};
    struct fees fees;
    uint64_t nonce = 0;
    enum err_code rc = relayer_fees_now(r, &fees, err);

    if (rc == E_OK)
        rc = reserve(r, batch, &nonce, err);
    if (rc != E_OK)
        return rc;
    in.nonce = (int64_t)nonce;
    rc = relayer_put(r, batch, &fees, &in, err);
    if (rc != E_OK)
        return rc;
    KILLPOINT("r3");
    return relayer_broadcast(r, in.hash, in.raw, err);
}

enum err_code relayer_replace(struct relayer *r, const struct batch *batch,
                              const struct sql_chain_tx_list_row *last, const struct fees *fees,
                              struct err *err)
{
    struct sql_chain_tx_store in = {.nonce = last->nonce};
    enum err_code rc = relayer_put(r, batch, fees, &in, err);

    if (rc != E_OK)
        return rc;
    KILLPOINT("r8");
    return relayer_broadcast(r, in.hash, in.raw, err);
}
