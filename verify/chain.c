/* SPDX-License-Identifier: MIT */
#include "verify/chain.h"

#include <stdlib.h>

#include "eth/abi.h"

#define ABI_SCORES_OF "scoresOf(uint64)"
#define ABI_VAULT     "vault()"

/* A view function of at most one numeric argument. */
struct question {
    struct address to;
    const char *call;
    const char *returns;
    uint64_t argument;
};

static enum err_code ask(const struct chain *c, const struct question *q, struct abi_value *out,
                         size_t n, struct err *err)
{
    struct abi_value arg = abi_u64(q->argument);
    struct buf data = {0};
    struct bytes answer = {0};
    enum err_code rc = abi_call(q->call, &arg, strstr(q->call, "()") ? 0 : 1, &data, err);

    if (rc == E_OK) {
        struct rpc_view view = {q->to, bytes_of(data.p, data.n), "latest"};

        rc = rpc_read(c->rpc, &view, c->arena, &answer, err);
    }
    if (rc == E_OK)
        rc = abi_decode(q->returns, answer, out, n, err);
    buf_done(&data);
    return rc;
}

static enum err_code ask_u64(const struct chain *c, const struct question *q, uint64_t *out,
                             struct err *err)
{
    struct abi_value v;
    enum err_code rc = ask(c, q, &v, 1, err);

    if (rc == E_OK && !abi_to_u64(&v, out))
        rc = err_set(err, E_PEER, "%s: the node's answer is out of range", q->call);
    return rc;
}

enum err_code chain_root(const struct chain *c, uint64_t epoch, struct digest *root, uint64_t *time,
                         struct err *err)
{
    static const struct digest none;
    const struct question q = {c->settlement, ABI_ROOT_OF, "(bytes32,uint64)", epoch};
    struct abi_value v[2];
    enum err_code rc = ask(c, &q, v, 2, err);

    if (rc != E_OK)
        return rc;
    *root = abi_to_digest(&v[0]);
    if (!abi_to_u64(&v[1], time))
        return err_set(err, E_PEER, "%s: the node's answer is out of range", q.call);
    if (memcmp(root, &none, sizeof(none)) == 0)
        return *time == 0 ? err_set(err, E_NOT_FOUND, "the node has no batch %llu, or not yet",
                                    (unsigned long long)epoch)
                          : err_set(err, E_DIGEST_MISMATCH, "batch %llu was voided",
                                    (unsigned long long)epoch);
    return E_OK;
}

enum err_code chain_ripe(const struct chain *c, uint64_t epoch, uint64_t settled, struct err *err)
{
    const struct question delay = {c->settlement, ABI_DELAY, "(uint64)", 0};
    struct rpc_block head = {.time = 0};
    uint64_t wait = 0;
    enum err_code rc = ask_u64(c, &delay, &wait, err);

    if (rc == E_OK)
        rc = rpc_block(c->rpc, "latest", &head, err);
    if (rc == E_OK && head.time < settled + wait)
        rc = err_set(err, E_BUSY, "batch %llu may still be voided, for %llu seconds",
                     (unsigned long long)epoch, (unsigned long long)(settled + wait - head.time));
    return rc;
}

enum err_code chain_scores(const struct chain *c, uint64_t epoch, uint8_t out[20], struct err *err)
{
    const struct question scores = {c->settlement, ABI_SCORES_OF, "(bytes20)", epoch};
    struct digest root;
    struct abi_value v;
    uint64_t settled;
    enum err_code rc = chain_root(c, epoch, &root, &settled, err);

    if (rc == E_OK)
        rc = chain_ripe(c, epoch, settled, err);
    if (rc == E_OK)
        rc = ask(c, &scores, &v, 1, err);
    if (rc == E_OK)
        memcpy(out, v.word, 20);
    return rc;
}

static bool settles(const struct rpc_log *log, struct address contract, uint64_t epoch,
                    struct abi_value v[6])
{
    struct err ignored;
    uint64_t its;

    return memcmp(&log->address, &contract, sizeof(contract)) == 0 &&
           abi_event(ABI_EV_SETTLED, &log->abi, v, 6, &ignored) == E_OK &&
           abi_to_u64(&v[0], &its) && its == epoch;
}

/* The contract's Settled of this epoch in one block. */
static enum err_code find_settled(const struct chain *c, uint64_t block, uint64_t epoch,
                                  struct abi_value v[6], struct err *err)
{
    const struct rpc_filter filter = {block, block, &c->settlement, 1};
    struct rpc_log *logs;
    size_t n;
    enum err_code rc = rpc_logs(c->rpc, &filter, c->arena, &logs, &n, err);

    if (rc != E_OK)
        return rc;
    for (size_t i = 0; i < n; i++)
        if (settles(&logs[i], c->settlement, epoch, v))
            return E_OK;
    return err_set(err, E_DIGEST_MISMATCH, "the transaction did not settle epoch %llu",
                   (unsigned long long)epoch);
}

enum err_code chain_log_root(const struct chain *c, struct digest tx, uint64_t epoch,
                             struct digest *out, uint64_t *time, struct err *err)
{
    struct rpc_receipt receipt;
    struct abi_value v[6];
    struct digest standing;
    struct digest settled;
    uint64_t at;
    enum err_code rc = chain_root(c, epoch, &standing, &at, err);

    if (rc == E_OK)
        rc = rpc_receipt(c->rpc, tx, &receipt, err);
    if (rc == E_OK)
        rc = find_settled(c, receipt.block, epoch, v, err);
    if (rc != E_OK)
        return rc;
    settled = abi_to_digest(&v[1]);
    if (memcmp(&settled, &standing, sizeof(settled)) != 0)
        return err_set(err, E_DIGEST_MISMATCH, "another batch stands for epoch %llu",
                       (unsigned long long)epoch);
    *out = abi_to_digest(&v[4]);
    *time = at;
    return E_OK;
}

enum err_code chain_claimed(const struct chain *c, uint32_t id, uint64_t *out, struct err *err)
{
    const struct question q = {c->settlement, ABI_CLAIMED, "(uint64)", id};

    return ask_u64(c, &q, out, err);
}

enum err_code chain_owner(const struct chain *c, uint32_t id, struct address *out, struct err *err)
{
    const struct question vault = {c->settlement, ABI_VAULT, "(address)", 0};
    struct question owner = {.call = ABI_VAULT_ACCOUNT_OF, .returns = "(address)", .argument = id};
    struct abi_value v;
    enum err_code rc = ask(c, &vault, &v, 1, err);

    if (rc != E_OK)
        return rc;
    owner.to = abi_to_address(&v);
    rc = ask(c, &owner, &v, 1, err);
    if (rc == E_OK)
        *out = abi_to_address(&v);
    return rc;
}

enum err_code chain_meet(struct rpc *rpc, const char *text, struct err *err)
{
    char *end;
    uint64_t id;

    if (!text)
        return E_OK;
    id = strtoull(text, &end, 10);
    if (id == 0 || *end || text[0] < '0' || text[0] > '9')
        return err_set(err, E_CONFIG, "--chain-id must be a number above 0");
    return rpc_meet_chain(rpc, id, err);
}
