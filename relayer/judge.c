/* SPDX-License-Identifier: MIT */
/*
 * A batch is tried on the chain's own state before it costs anything. A refusal can have two
 * causes: its entries, or everything else (the key was dismissed, an exit has begun, a node that
 * refuses all we ask). An empty batch in its place tells them apart, so nothing depends on a node's
 * words.
 */
#include "eth/abi.h"
#include "eth/entries.h"
#include "lib/log.h"
#include "relayer/relayer.h"

enum verdict { VERDICT_GOOD, VERDICT_REFUSED };

enum err_code relayer_call_data(const struct batch *batch, struct buf *out, struct err *err)
{
    const struct abi_value args[] = {
        abi_u64((uint64_t)batch->epoch), abi_u64((uint64_t)batch->increase_units),
        abi_digest(batch->score_root), abi_digest(batch->log_root), abi_bytes(batch->entries)};

    return abi_call(ABI_SETTLE, args, ARRAY_LEN(args), out, err);
}

/* @return E_PEER, E_TIMEOUT when no node gave an answer at all */
static enum err_code simulate(struct relayer *r, const struct batch *batch, enum verdict *out,
                              struct err *err)
{
    struct buf data = {0};
    struct bytes nothing;
    enum err_code rc = relayer_call_data(batch, &data, err);

    if (rc == E_OK) {
        struct rpc_view call = {r->settlement, bytes_of(data.p, data.n), "latest"};

        rc = rpc_simulate(r->rpc, r->sender, &call, r->arena, &nothing, err);
        *out = rc == E_OK ? VERDICT_GOOD : VERDICT_REFUSED;
        if (rc != E_OK && rpc_error_code(r->rpc) != 0)
            rc = E_OK;
    }
    buf_done(&data);
    return rc;
}

/* Dissolves it; a single payout is parked for those `words`. What was signed for it may still come
 * true, unless it is known to be void: then it cannot be taken back, and settlement waits. */
static enum err_code drop(struct relayer *r, const struct batch *batch, const char *words,
                          int64_t entries, struct err *err)
{
    struct sql_batch_drop in = {.id = batch->id,
                                .reason = text_of(entries == 1 ? words : NULL),
                                .park_s = (int32_t)r->batching.park_s};
    const struct sql_batch_drop_row *row;
    const void *rows;
    size_t n;
    enum err_code rc = db_run(r->db, SQL_BATCH_DROP, &in, 1, r->arena, &rows, &n, err);

    if (rc != E_OK)
        return rc;
    row = rows;
    if (!text_is(row->outcome, "ok")) {
        alarm_raise(&r->alarms, ALARM_REFUSED, "epoch %lld is refused and was signed before: %s",
                    (long long)batch->epoch, words);
        return err_set(err, E_INTERNAL, "epoch %lld is refused and was signed before: %s",
                       (long long)batch->epoch, words);
    }
    return E_OK;
}

/* How many ledger entries a batch holds. */
static enum err_code size_of(struct relayer *r, const struct batch *batch, int64_t *out,
                             struct err *err)
{
    struct sql_batch_size in = {.id = batch->id};
    const struct sql_batch_size_row *row;
    const void *rows;
    size_t n;
    enum err_code rc = db_run(r->db, SQL_BATCH_SIZE, &in, 1, r->arena, &rows, &n, err);

    if (rc != E_OK)
        return rc;
    row = rows;
    *out = row->entries;
    return E_OK;
}

/* The entries are to blame. */
static enum err_code isolate(struct relayer *r, const struct batch *batch, const char *words,
                             struct err *err)
{
    int64_t entries;
    enum err_code rc = size_of(r, batch, &entries, err);

    if (rc == E_OK)
        rc = drop(r, batch, words, entries, err);
    if (rc != E_OK)
        return rc;
    if (entries <= 1) {
        alarm_clear(&r->alarms, ALARM_PARKED); /* each is said */
        alarm_raise(&r->alarms, ALARM_PARKED, "one payout is left out for %lld s: %s",
                    (long long)r->batching.park_s, words);
        r->form_max = 0;
    } else {
        r->form_max = entries / 2;
        log_warn("halved", "epoch=%lld entries=%lld text=%s", (long long)batch->epoch,
                 (long long)entries, words);
    }
    return E_OK;
}

/* Whether the chain is where this batch comes next. */
static enum err_code check_place(struct relayer *r, const struct batch *batch, struct err *err)
{
    uint64_t last;
    enum err_code rc = relayer_ask(r, ABI_LAST_EPOCH, &last, err);

    if (rc == E_OK && last + 1 != (uint64_t)batch->epoch)
        rc = err_set(err, E_PEER, "the node is at epoch %llu, batch %lld cannot follow yet",
                     (unsigned long long)last, (long long)batch->epoch);
    return rc;
}

enum err_code relayer_judge(struct relayer *r, const struct batch *batch, bool *good,
                            struct err *err)
{
    static const uint8_t padding[ENTRY_SIZE];
    struct batch empty = {.epoch = batch->epoch, .entries = bytes_of(padding, sizeof(padding))};
    struct err words = {0};
    enum verdict verdict = VERDICT_REFUSED;
    enum err_code rc = check_place(r, batch, err);

    *good = false;
    if (rc != E_OK)
        return rc;
    rc = simulate(r, batch, &verdict, &words);
    if (rc == E_OK && verdict == VERDICT_GOOD) {
        alarm_clear(&r->alarms, ALARM_REFUSED);
        *good = true;
        return E_OK;
    }
    if (rc == E_OK)
        rc = simulate(r, &empty, &verdict, &words);
    if (rc != E_OK)
        return err_set(err, rc, "%s", words.text);
    if (verdict == VERDICT_REFUSED) {
        alarm_raise(&r->alarms, ALARM_REFUSED, "the contract refuses even an empty batch: %s",
                    words.text);
        return err_set(err, E_INTERNAL, "the contract refuses even an empty batch: %s", words.text);
    }
    /* Once more: it was not the moment that was bad. */
    rc = simulate(r, batch, &verdict, &words);
    if (rc != E_OK)
        return err_set(err, rc, "%s", words.text);
    if (verdict == VERDICT_GOOD) {
        *good = true;
        return E_OK;
    }
    return isolate(r, batch, words.text, err);
}
