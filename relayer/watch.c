/* SPDX-License-Identifier: MIT */
/*
 * What became of a batch's transactions. All hashes ever signed for it are asked for, since any of
 * them may be the one that was mined; what is told counts by nonce and receipt, never by a node's
 * words.
 */
#include <string.h>

#include "eth/abi.h"
#include "lib/clock.h"
#include "lib/killpoint.h"
#include "lib/log.h"
#include "relayer/relayer.h"

/* settle() leaves one event that says what it did; without it something else is at that address. */
static bool says_settled(const struct relayer *r, const struct batch *batch,
                         const struct rpc_outcome *outcome)
{
    struct digest topic = abi_topic(ABI_EV_SETTLED);

    for (size_t i = 0; i < outcome->n_logs; i++) {
        const struct rpc_log *log = &outcome->logs[i];
        struct abi_value v[6];
        uint64_t epoch;
        uint64_t increase;

        if (memcmp(&log->address, &r->settlement, sizeof(log->address)) != 0 ||
            log->abi.n_topics == 0 || memcmp(&log->abi.topics[0], &topic, sizeof(topic)) != 0 ||
            abi_event(ABI_EV_SETTLED, &log->abi, v, ARRAY_LEN(v), NULL) != E_OK)
            continue;
        if (abi_to_u64(&v[0], &epoch) && epoch == (uint64_t)batch->epoch &&
            memcmp(v[1].word, batch->root.b, 32) == 0 && abi_to_u64(&v[2], &increase) &&
            increase == (uint64_t)batch->increase_units &&
            memcmp(v[3].word, batch->score_root.b, 32) == 0 &&
            memcmp(v[4].word, batch->log_root.b, 32) == 0)
            return true;
    }
    return false;
}

/* A mined transaction must have done what it was for. @what gets the alarm if it has not */
static enum err_code judge(struct relayer *r, const struct batch *batch,
                           const struct rpc_outcome *outcome, enum alarm *what, struct err *err)
{
    unsigned long long block = outcome->receipt.block;

    if (!outcome->receipt.success) {
        *what = ALARM_REVERTED;
        return err_set(err, E_INTERNAL,
                       "settle of epoch %lld reverted in block %llu: settlement stops here",
                       (long long)batch->epoch, block);
    }
    if (!says_settled(r, batch, outcome)) {
        *what = ALARM_EVENT;
        return err_set(err, E_INTERNAL,
                       "epoch %lld is mined in block %llu without its event: settlement stops here",
                       (long long)batch->epoch, block);
    }
    return E_OK;
}

/* One hash. @mined set when it is in a block now; @what when it did not do there what it was for */
static enum err_code look_at(struct relayer *r, const struct batch *batch,
                             const struct sql_chain_tx_list_row *tx, bool *mined, enum alarm *what,
                             struct err *err)
{
    bool was = text_is(tx->state, "mined");
    struct rpc_outcome outcome;
    struct digest hash;
    enum err_code rc;

    memcpy(hash.b, tx->hash.p, sizeof(hash.b));
    rc = rpc_outcome(r->rpc, hash, r->arena, &outcome, err);
    if (rc == E_NOT_FOUND) {
        if (!was)
            return E_OK;
        log_warn("reorged", "epoch=%lld", (long long)batch->epoch);
        return relayer_seen(r, tx->hash, &(struct sighting){.state = "sent"}, err);
    }
    if (rc == E_OK)
        rc = judge(r, batch, &outcome, what, err);
    if (rc != E_OK)
        return rc;
    *mined = true;
    if (outcome.receipt.block <= r->final_no)
        KILLPOINT("r7");
    if (!was || tx->block_no != (int64_t)outcome.receipt.block) {
        rc = relayer_seen(r, tx->hash,
                          &(struct sighting){.state = "mined", .receipt = &outcome.receipt}, err);
        log_info("mined", "epoch=%lld block=%llu", (long long)batch->epoch,
                 (unsigned long long)outcome.receipt.block);
        KILLPOINT("r6");
    }
    return rc;
}

/* Whether a final block holds a transaction at this nonce. @count how many the newest one counts */
static enum err_code is_used(struct relayer *r, const struct sql_chain_tx_list_row *newest,
                             uint64_t *count, bool *out, struct err *err)
{
    struct address sender;
    uint64_t nonce = (uint64_t)newest->nonce;
    uint64_t used = 0;
    enum err_code rc;

    *out = false;
    memcpy(sender.b, newest->sender.p, sizeof(sender.b));
    rc = relayer_count(r, sender, "latest", count, err);
    if (rc != E_OK || *count <= nonce)
        return rc;
    rc = relayer_count_final(r, sender, &used, err);
    if (rc == E_NOT_FOUND)
        return E_OK;
    if (rc == E_OK && used > nonce + (uint64_t)(r->skip_max + r->in_flight_max)) {
        alarm_raise(&r->alarms, ALARM_STRANGER,
                    "%llu transactions of this key are counted, too far beyond nonce %llu",
                    (unsigned long long)used, (unsigned long long)nonce);
        return E_OK;
    }
    *out = rc == E_OK && used > nonce;
    return rc;
}

/* The nonce went to a stranger for good: the batch needs another. */
static enum err_code give_up(struct relayer *r, const struct sql_chain_tx_list_row *newest,
                             struct err *err)
{
    struct sql_nonce_lost in = {.sender = newest->sender, .nonce = newest->nonce};
    const void *rows;
    size_t n;
    enum err_code rc = db_run(r->db, SQL_NONCE_LOST, &in, 1, r->arena, &rows, &n, err);

    if (rc == E_OK)
        alarm_raise(&r->alarms, ALARM_STRANGER, "nonce %lld was used by somebody else",
                    (long long)newest->nonce);
    return rc;
}

static uint64_t small(struct wei w)
{
    return w.limb[0]; /* ours: stored from a uint64_t */
}

/* A key before ours signed it: the relayer runs with a new key once the contract names that one. */
static bool is_own(const struct relayer *r, const struct sql_chain_tx_list_row *tx)
{
    return memcmp(tx->sender.p, r->sender.b, sizeof(r->sender.b)) == 0;
}

/* Nothing mined: say the newest again, or replace it when it has waited long and not for a gap. */
static enum err_code push(struct relayer *r, const struct batch *batch,
                          const struct sql_chain_tx_list_row *newest, struct err *err)
{
    int64_t now = clock_wall_us();
    struct fees last = {.max_fee = small(newest->max_fee), .tip = small(newest->tip)};
    struct fees fresh;
    struct fees next;
    struct err full = {0};
    enum err_code rc;

    if (!(r->gap.since != 0 && (uint64_t)newest->nonce > r->gap.nonce) &&
        now - newest->created_at >= r->bump_s * 1000000) {
        rc = relayer_fees_now(r, &fresh, err);
        if (rc != E_OK)
            return rc;
        if (fees_bump(&last, &fresh, &r->cap, &next, &full) == E_OK) {
            alarm_clear(&r->alarms, ALARM_FEE_CAP);
            rc = relayer_replace(r, batch, newest, &next, err);
            if (rc != E_QUOTA)
                return rc;
        } else {
            alarm_raise(&r->alarms, ALARM_FEE_CAP, "epoch %lld: %s", (long long)batch->epoch,
                        full.text);
        }
    }
    if (text_is(newest->state, "signed") || now - newest->updated_at >= r->resend_s * 1000000)
        return relayer_broadcast(r, newest->hash, newest->raw, err);
    return E_OK;
}

/*
 * The newest transaction whose nonce is still ours; NULL when there is none. One of a key before
 * ours is not waited for: the trial in our own name, before the batch is signed anew, passes only
 * where the contract names us and no more that key. Both list the same, and the contract takes an
 * epoch once, so whichever comes first settles it.
 */
static const struct sql_chain_tx_list_row *live(const struct relayer *r,
                                                const struct sql_chain_tx_list_row *txs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!txs[i].lost && is_own(r, &txs[i]))
            return &txs[i];
    return NULL;
}

/* Whether a block that held one of them still counts when nothing new was heard. */
static bool was_mined(const struct sql_chain_tx_list_row *txs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text_is(txs[i].state, "mined") || text_is(txs[i].state, "final"))
            return true;
    return false;
}

/* Whether what went wrong with it stops settlement: not where an operator has set it aside
 * (`ogpu-relayer again`), nor when the one who may not settle any more could not. */
static bool stops(const struct relayer *r, const struct sql_chain_tx_list_row *tx, enum alarm what)
{
    return what != ALARMS && !tx->lost && (what != ALARM_REVERTED || is_own(r, tx));
}

/* The contract takes an epoch once: where one of them settled it, another may have failed. */
static enum err_code look_at_all(struct relayer *r, const struct batch *batch,
                                 const struct sql_chain_tx_list_row *txs, size_t n, bool *mined,
                                 struct err *err)
{
    struct err why = {0};
    enum alarm bad = ALARMS;
    enum err_code rc = E_OK;

    for (size_t i = 0; i < n && rc == E_OK; i++) {
        enum alarm what = ALARMS;

        rc = look_at(r, batch, &txs[i], mined, &what, err);
        if (stops(r, &txs[i], what)) {
            bad = what;
            why = *err;
        }
        if (what != ALARMS)
            rc = E_OK;
    }
    if (rc != E_OK)
        return rc;
    if (bad != ALARMS && !*mined) {
        alarm_raise(&r->alarms, bad, "%s", why.text);
        return err_set(err, E_INTERNAL, "%s", why.text);
    }
    if (*mined) {
        alarm_clear(&r->alarms, ALARM_REVERTED);
        alarm_clear(&r->alarms, ALARM_EVENT);
    }
    return E_OK;
}

enum err_code relayer_watch(struct relayer *r, const struct batch *batch, bool look,
                            enum place *where, struct err *err)
{
    struct sql_chain_tx_list in = {.batch = batch->id};
    const struct sql_chain_tx_list_row *txs;
    const struct sql_chain_tx_list_row *newest;
    const void *rows;
    size_t n;
    bool gone = false;
    bool mined = false;
    uint64_t count = 0;
    enum err_code rc = db_run(r->db, SQL_CHAIN_TX_LIST, &in, 1, r->arena, &rows, &n, err);

    if (rc != E_OK)
        return rc;
    txs = rows;
    newest = live(r, txs, n);
    if (look)
        rc = look_at_all(r, batch, txs, n, &mined, err);
    else
        mined = was_mined(txs, n);
    if (rc == E_OK && look && !mined && newest) {
        rc = is_used(r, newest, &count, &gone, err);
        if (rc == E_OK && !gone)
            rc = relayer_mend(r, newest, count, err);
    }
    /* Once more: it may be ours that came into a block between the two questions. */
    if (rc == E_OK && gone)
        rc = look_at_all(r, batch, txs, n, &mined, err);
    if (rc == E_OK && gone && !mined) {
        rc = give_up(r, newest, err);
        newest = NULL;
    }
    if (rc != E_OK)
        return rc;
    *where = mined ? PLACE_MINED : newest ? PLACE_PENDING : PLACE_UNSIGNED;
    return *where == PLACE_PENDING ? push(r, batch, newest, err) : E_OK;
}
