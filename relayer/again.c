/* SPDX-License-Identifier: MIT */
/*
 * `ogpu-relayer again`: an operator's word after a revert. A transaction of a batch that a final
 * block counts, while the contract at that block has not taken the batch's epoch, did nothing and
 * never will. Its nonce is set aside then, so that the relayer's next round tries the batch on the
 * chain and signs it anew; should that trial refuse it, its payouts go into another batch.
 */
#include <stdio.h>
#include <string.h>

#include "eth/abi.h"
#include "lib/log.h"
#include "relayer/command.h"
#include "relayer/options.h"

/* The last final block: everything is asked of this one. */
struct moment {
    uint64_t number;
    char tag[RPC_TAG_MAX];
};

static enum err_code find_batch(struct relayer *r, struct uuid *out, struct err *err)
{
    struct sql_batch_unsettled in = {.max = INT32_MAX};
    const struct sql_batch_unsettled_row *row;
    const void *rows;
    size_t n;
    enum err_code rc = db_run(r->db, SQL_BATCH_UNSETTLED, &in, 1, r->arena, &rows, &n, err);

    if (rc != E_OK)
        return rc;
    row = rows;
    for (size_t i = 0; i < n; i++) {
        if (row[i].epoch != r->about)
            continue;
        *out = row[i].id;
        return E_OK;
    }
    return err_set(err, E_NOT_FOUND, "epoch %lld is no batch on its way: --epoch names one",
                   (long long)r->about);
}

/* Where the contract is. @return E_BUSY when it has taken the epoch */
static enum err_code check_unsettled(struct relayer *r, struct moment *at, struct err *err)
{
    uint64_t last = 0;
    enum err_code rc = finality_block(&r->finality, r->rpc, &at->number, err);

    if (rc != E_OK)
        return rc;
    rpc_tag(at->number, at->tag);
    rc = relayer_ask_at(r, ABI_LAST_EPOCH, at->tag, &last, err);
    if (rc == E_OK && last >= (uint64_t)r->about)
        rc = err_set(err, E_BUSY, "epoch %lld is settled in the final block %llu: nothing to do",
                     (long long)r->about, (unsigned long long)at->number);
    return rc;
}

/* Several may share the nonce: it is told and counted once. */
static enum err_code set_aside(struct relayer *r, const struct sql_chain_tx_list_row *tx,
                               size_t *found, struct err *err)
{
    struct sql_nonce_spent in = {.sender = tx->sender, .nonce = tx->nonce};
    const struct sql_nonce_spent_row *row;
    const void *rows;
    size_t n;
    enum err_code rc = db_run(r->db, SQL_NONCE_SPENT, &in, 1, r->arena, &rows, &n, err);

    if (rc != E_OK)
        return rc;
    row = rows;
    if (!text_is(row->outcome, "ok"))
        return E_OK;
    (*found)++;
    printf("epoch %lld: nonce %lld did nothing, and is set aside\n", (long long)r->about,
           (long long)tx->nonce);
    return E_OK;
}

/* @used whether the final block counts it. @return E_BUSY when it may yet settle the batch */
static enum err_code is_used(struct relayer *r, const struct moment *at,
                             const struct sql_chain_tx_list_row *tx, bool *used, struct err *err)
{
    struct address sender;
    uint64_t count;
    enum err_code rc;

    memcpy(sender.b, tx->sender.p, sizeof(sender.b));
    rc = relayer_count(r, sender, at->tag, &count, err);
    if (rc != E_OK)
        return rc;
    *used = count > (uint64_t)tx->nonce;
    /* Who is no settler any more settles nothing, and the relayer goes on without him. */
    if (!*used && memcmp(sender.b, r->sender.b, sizeof(sender.b)) == 0)
        return err_set(err, E_BUSY,
                       "nonce %lld is not used in the final block %llu: its transaction may yet "
                       "settle epoch %lld",
                       (long long)tx->nonce, (unsigned long long)at->number, (long long)r->about);
    return E_OK;
}

static enum err_code set_all_aside(struct relayer *r, const struct moment *at, struct uuid batch,
                                   struct err *err)
{
    struct sql_chain_tx_list in = {.batch = batch};
    const struct sql_chain_tx_list_row *tx;
    const void *rows;
    size_t n;
    size_t found = 0;
    enum err_code rc = db_run(r->db, SQL_CHAIN_TX_LIST, &in, 1, r->arena, &rows, &n, err);

    for (size_t i = 0; rc == E_OK && i < n; i++) {
        bool used = false;

        tx = (const struct sql_chain_tx_list_row *)rows + i;
        if (tx->lost)
            continue;
        rc = is_used(r, at, tx, &used, err);
        if (rc == E_OK && used)
            rc = set_aside(r, tx, &found, err);
    }
    if (rc == E_OK && found == 0)
        printf("epoch %lld: nothing is to be set aside\n", (long long)r->about);
    return rc;
}

int command_again(int argc, char **argv)
{
    struct relayer r = {0};
    struct moment at = {0};
    struct uuid batch;
    struct err err = {0};
    enum err_code rc;

    if (command_wants_help(argc, argv)) {
        puts("usage: ogpu-relayer again --epoch N [--option value]...\n");
        relayer_help();
        return 0;
    }
    log_open("ogpu-relayer", LOG_LEVEL_ERROR);
    rc = relayer_open_to_look(&r, argc, argv, &err);
    if (rc == E_OK)
        rc = find_batch(&r, &batch, &err);
    if (rc == E_OK)
        rc = check_unsettled(&r, &at, &err);
    if (rc == E_OK)
        rc = set_all_aside(&r, &at, batch, &err);
    relayer_close(&r);
    return rc == E_OK ? 0 : command_fail(&err);
}
