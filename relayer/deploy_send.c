/* SPDX-License-Identifier: MIT */
/*
 * A deployment is one transaction of a key that may have others; as with batches, bytes are on disk
 * before they are sent, and only nonces and receipts say what became of them.
 */
#include <string.h>
#include <time.h>

#include "eth/keccak.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "relayer/command.h"
#include "relayer/deploy.h"

#define SECOND 1000000
/* A node may count a block's transactions some time before it has their receipts. */
#define LOST_US (5 * SECOND)

/* A contract's own first creations have the nonces 1 and 2: Roles makes the lock, Books the vault.
 */
#define LOCK_NONCE  1
#define VAULT_NONCE 2

enum err_code deploy_plan(struct deploy *d, struct wei *cost, struct wei *balance, struct err *err)
{
    struct record *rec = &d->rec;
    struct fees fees;
    uint8_t be[32];
    uint64_t pending = 0;
    uint64_t gas = 0;
    enum err_code rc = rpc_nonce(d->r.rpc, d->r.sender, "latest", &rec->nonce, err);

    if (rc == E_OK)
        rc = rpc_nonce(d->r.rpc, d->r.sender, "pending", &pending, err);
    if (rc == E_OK && pending != rec->nonce)
        return err_set(err, E_BUSY, "the deployer has transactions under way: wait for them");
    if (rc == E_OK)
        rc = rpc_balance(d->r.rpc, d->r.sender, "latest", be, err);
    if (rc == E_OK)
        rc = rpc_estimate_create(d->r.rpc, d->r.sender, bytes_of(d->init.p, d->init.n), &gas, err);
    if (rc == E_OK)
        rc = relayer_fees_now(&d->r, &fees, err);
    if (rc != E_OK)
        return rc;
    rec->chain_id = d->r.chain_id;
    rec->deployer = d->r.sender;
    rec->gas = gas + gas / 8;
    rec->init = keccak256(d->init.p, d->init.n);
    rec->settlement = tx_created(rec->deployer, rec->nonce);
    rec->lock = tx_created(rec->settlement, LOCK_NONCE);
    rec->vault = tx_created(rec->settlement, VAULT_NONCE);
    *balance = wei_from_be(be);
    return fees_cost(&fees, rec->gas, cost, err);
}

/* Signs with these fees and puts it on disk. */
static enum err_code sign(struct deploy *d, const struct fees *fees, struct err *err)
{
    struct record *rec = &d->rec;
    struct record_tx *out = &rec->txs[rec->n_txs];
    struct tx tx = {.type = d->r.legacy ? TX_LEGACY : TX_EIP1559,
                    .chain_id = rec->chain_id,
                    .nonce = rec->nonce,
                    .gas = rec->gas,
                    .max_fee = fees->max_fee,
                    .priority_fee = fees->tip,
                    .create = true,
                    .data = bytes_of(d->init.p, d->init.n)};
    struct signature sig;
    struct buf raw = {0};
    enum err_code rc;

    if (rec->n_txs == RECORD_TXS_MAX)
        return err_set(err, E_RANGE, "it was signed %d times", RECORD_TXS_MAX);
    rc = key_sign_tx(d->r.key, &tx, &sig, err);
    if (rc == E_OK)
        rc = tx_encode(&tx, &sig, &raw, &out->hash, err);
    if (rc == E_OK) {
        out->raw = arena_bytes(d->r.arena, bytes_of(raw.p, raw.n));
        out->fees = *fees;
        rec->n_txs++;
        log_info("signed", "nonce=%llu max_fee=%llu", (unsigned long long)rec->nonce,
                 (unsigned long long)fees->max_fee);
        rc = record_write(d->path, rec, err);
    }
    buf_done(&raw);
    return rc;
}

/* The nodes' refusal decides nothing. */
static void say(struct deploy *d)
{
    const struct record_tx *newest = &d->rec.txs[d->rec.n_txs - 1];
    struct err refusal = {0};
    struct digest told;

    if (rpc_send_raw(d->r.rpc, newest->raw, &told, &refusal) != E_OK)
        log_warn("node_refused", "code=%lld text=%s", (long long)rpc_error_code(d->r.rpc),
                 refusal.text);
}

enum err_code deploy_begin(struct deploy *d, struct err *err)
{
    struct fees fees;
    enum err_code rc = relayer_fees_now(&d->r, &fees, err);

    return rc == E_OK ? sign(d, &fees, err) : rc;
}

/* One look at all that was signed. @final once it is */
static enum err_code look(struct deploy *d, uint64_t last, bool *mined, bool *final,
                          struct err *err)
{
    struct record *rec = &d->rec;

    *mined = *final = false;
    for (size_t i = 0; i < rec->n_txs; i++) {
        struct rpc_receipt receipt;
        enum err_code rc = rpc_receipt(d->r.rpc, rec->txs[i].hash, &receipt, err);

        if (rc == E_NOT_FOUND)
            continue;
        if (rc != E_OK)
            return rc;
        *mined = true;
        if (receipt.block > last)
            return E_OK;
        *final = true;
        rec->block = receipt.block;
        rec->tx = rec->txs[i].hash;
        return receipt.success ? E_OK
                               : err_set(err, E_INTERNAL, "the deployment reverted in block %llu",
                                         (unsigned long long)receipt.block);
    }
    return E_OK;
}

/* Where it is. The nonce is asked before the receipts: what is in a final block then is known to
 * be ours or not. */
static enum err_code ask(struct deploy *d, bool *mined, bool *final, struct err *err)
{
    char tag[RPC_TAG_MAX];
    uint64_t last = 0;
    uint64_t used = 0;
    enum err_code rc = finality_block(&d->r.finality, d->r.rpc, &last, err);

    if (rc != E_OK && rc != E_NOT_FOUND)
        return rc;
    rpc_tag(last, tag);
    rc = rpc_nonce(d->r.rpc, d->rec.deployer, tag, &used, err);
    if (rc == E_OK)
        rc = look(d, last, mined, final, err);
    if (rc == E_OK && !*mined && used > d->rec.nonce)
        rc = err_set(err, E_NONCE_USED,
                     "nonce %llu went to another transaction: nothing was deployed, remove '%s' to "
                     "begin anew",
                     (unsigned long long)d->rec.nonce, d->path);
    return rc;
}

/* Not in a block: said again, or signed with a higher fee. */
static enum err_code push(struct deploy *d, int64_t *said, int64_t *raised, struct err *err)
{
    const struct fees *last = &d->rec.txs[d->rec.n_txs - 1].fees;
    int64_t now = clock_mono_us();
    struct fees fresh;
    struct fees next;
    struct err full = {0};

    if (now - *raised >= d->r.bump_s * SECOND) {
        enum err_code rc = relayer_fees_now(&d->r, &fresh, err);

        *raised = now;
        if (rc != E_OK)
            return rc;
        if (fees_bump(last, &fresh, &d->r.cap, &next, &full) == E_OK) {
            rc = sign(d, &next, err);
            if (rc != E_OK)
                return rc;
            *said = 0;
        } else {
            log_warn("fee_cap", "text=%s", full.text);
        }
    }
    if (*said == 0 || now - *said >= d->r.resend_s * SECOND) {
        *said = now;
        say(d);
    }
    return E_OK;
}

enum err_code deploy_wait(struct deploy *d, struct err *err)
{
    const struct timespec pause = {.tv_sec = d->poll_ms / 1000,
                                   .tv_nsec = (d->poll_ms % 1000) * 1000000};
    int64_t began = clock_mono_us();
    int64_t raised = began;
    int64_t said = 0;
    int64_t lost = 0;

    while (!command_stopping() && clock_mono_us() - began < d->wait_s * SECOND) {
        struct err why = {0};
        bool mined;
        bool final;
        enum err_code rc = ask(d, &mined, &final, &why);

        if (rc == E_OK && final)
            return E_OK;
        if (rc == E_OK && !mined)
            rc = push(d, &said, &raised, &why);
        if (rc != E_NONCE_USED)
            lost = 0;
        else if (lost == 0)
            lost = clock_mono_us();
        if (rc != E_OK && err_info(rc)->blame != BLAME_PEER &&
            (lost == 0 || clock_mono_us() - lost >= LOST_US))
            return err_set(err, rc, "%s", why.text);
        if (rc != E_OK)
            log_warn("retry", "code=%s text=%s", err_info(rc)->word, why.text);
        nanosleep(&pause, NULL);
    }
    return err_set(err, E_TIMEOUT, "not final yet: run the same again, '%s' says how far it is",
                   d->path);
}
