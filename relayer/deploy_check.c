/* SPDX-License-Identifier: MIT */
/* What stands on the chain, against what was compiled and what was asked for. */
#include <stdlib.h>
#include <string.h>

#include "eth/address.h"
#include "eth/keccak.h"
#include "relayer/deploy.h"

/* The transaction made it, from our bytes: then the constructor ran with our terms. */
static enum err_code check_tx(struct deploy *d, struct err *err)
{
    const struct record *rec = &d->rec;
    struct rpc_receipt receipt;
    struct rpc_tx tx;
    struct digest init;
    uint64_t last;
    enum err_code rc = finality_block(&d->r.finality, d->r.rpc, &last, err);

    if (rc == E_OK)
        rc = rpc_receipt(d->r.rpc, rec->tx, &receipt, err);
    if (rc == E_OK)
        rc = rpc_transaction(d->r.rpc, rec->tx, d->r.arena, &tx, err);
    if (rc != E_OK)
        return rc;
    if (receipt.block > last || receipt.block != rec->block)
        return err_set(err, E_CONFIG, "it lies in block %llu, and block %llu is the last final one",
                       (unsigned long long)receipt.block, (unsigned long long)last);
    if (!receipt.success || !receipt.has_contract || !address_eq(receipt.contract, rec->settlement))
        return err_set(err, E_CONFIG, "the transaction did not make the record's contract");
    init = keccak256(tx.input.p, tx.input.n);
    if (!address_eq(tx.from, rec->deployer) || tx.nonce != rec->nonce ||
        memcmp(&init, &rec->init, sizeof(init)) != 0)
        return err_set(err, E_CONFIG, "the transaction carried something else");
    return E_OK;
}

static enum err_code check_code(struct deploy *d, const struct artifact *f, struct address at,
                                const struct immutable *values, size_t n, struct err *err)
{
    struct bytes code;
    enum err_code rc = rpc_code(d->r.rpc, at, "latest", d->r.arena, &code, err);

    return rc == E_OK ? artifact_match(f, code, values, n, d->r.arena, err) : rc;
}

static struct immutable word(const char *name, struct abi_value v)
{
    struct immutable out = {.name = name};

    memcpy(out.word, v.word, sizeof(out.word));
    return out;
}

static enum err_code check_codes(struct deploy *d, struct err *err)
{
    const struct record *rec = &d->rec;
    struct rpc_block block;
    char tag[RPC_TAG_MAX];
    enum err_code rc;

    rpc_tag(rec->block, tag);
    rc = rpc_block(d->r.rpc, tag, &block, err);
    if (rc != E_OK)
        return rc;
    const struct immutable settlement[] = {
        word("vault", abi_address(rec->vault)),    word("admin", abi_address(rec->lock)),
        word("delay", rec->terms.v[TERM_DELAY]),   word("silence", rec->terms.v[TERM_SILENCE]),
        word("window", rec->terms.v[TERM_WINDOW]), word("born", abi_u64(block.time))};
    const struct immutable vault[] = {word("settlement", abi_address(rec->settlement)),
                                      word("unbondingPeriod", rec->terms.v[TERM_UNBONDING]),
                                      word("appealPeriod", rec->terms.v[TERM_APPEAL])};

    rc = check_code(d, &d->settlement, rec->settlement, settlement, ARRAY_LEN(settlement), err);
    if (rc == E_OK)
        rc = check_code(d, &d->vault, rec->vault, vault, ARRAY_LEN(vault), err);
    return rc == E_OK ? check_code(d, &d->lock, rec->lock, NULL, 0, err) : rc;
}

/* A view without arguments, one word. */
static enum err_code ask(struct deploy *d, struct address at, const char *view,
                         struct abi_value *out, struct err *err)
{
    struct buf data = {0};
    struct bytes answer;
    enum err_code rc = abi_call(view, NULL, 0, &data, err);

    if (rc == E_OK) {
        struct rpc_view question = {at, bytes_of(data.p, data.n), "latest"};

        rc = rpc_read(d->r.rpc, &question, d->r.arena, &answer, err);
    }
    if (rc == E_OK)
        rc = abi_decode("(uint256)", answer, out, 1, err);
    buf_done(&data);
    return rc;
}

/* Those of the terms that the admin or the guardian may have changed since. */
static enum err_code compare(struct deploy *d, json_t *changed, struct err *err)
{
    const struct {
        const char *view;
        enum term term;
        struct address at;
    } now[] = {{ABI_SETTLER, TERM_SETTLER, d->rec.settlement},
               {"signer()", TERM_SIGNER, d->rec.settlement},
               {"guardian()", TERM_GUARDIAN, d->rec.settlement},
               {ABI_DAILY_CAP, TERM_DAILY_CAP, d->rec.settlement},
               {"getMinDelay()", TERM_ADMIN_DELAY, d->rec.lock}};

    for (size_t i = 0; i < ARRAY_LEN(now); i++) {
        struct abi_value v;
        enum err_code rc = ask(d, now[i].at, now[i].view, &v, err);

        if (rc != E_OK)
            return rc;
        if (memcmp(v.word, d->rec.terms.v[now[i].term].word, sizeof(v.word)) != 0 &&
            json_array_append_new(changed, json_string(term_name(now[i].term))) != 0)
            abort();
    }
    return E_OK;
}

enum err_code deploy_check(struct deploy *d, json_t *changed, struct err *err)
{
    enum err_code rc = check_tx(d, err);

    if (rc == E_OK)
        rc = check_codes(d, err);
    return rc == E_OK ? compare(d, changed, err) : rc;
}
