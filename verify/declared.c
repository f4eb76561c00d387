/* SPDX-License-Identifier: MIT */
/*
 * The contract believes the settler's word on how much a batch adds to what everybody has earned.
 * Here the word is checked: the calldata of every batch is public. A batch that was voided declared
 * nothing and lists nothing. Where an older batch was voided under a newer one, the newer lists
 * more than it declared until a later one declares it: so the sums decide, not the single batch.
 */
#include "verify/declared.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eth/abi.h"
#include "eth/address.h"
#include "eth/entries.h"
#include "eth/rpc.h"
#include "verify/chain.h"
#include "verify/growth.h"
#include "verify/history.h"

#define RANGE_BLOCKS 10000

struct declared {
    struct rpc *rpc;
    struct arena *arena; /* of one question */
    struct history history;
    struct address settlement;
    uint64_t from;
    struct growth growth;
    uint64_t sum; /* declared by standing batches */
    uint64_t last;
};

static int usage(FILE *to)
{
    fputs("usage: ogpu-verify declared --rpc URL --contract 0xADDRESS [--from BLOCK]\n"
          "       [--chain-id N]\n"
          "\n"
          "Adds up what all batches declare and what they list, from the chain's own history.\n"
          "--from   first block that may hold a batch (default 0)\n"
          "--chain-id  the chain that the node must be of\n",
          to);
    return 2;
}

/* The batches in all logs of the contract up to the head; nodes cap an answer, so in pieces. */
static enum err_code read_history(struct declared *d, struct err *err)
{
    uint64_t range = RANGE_BLOCKS;
    uint64_t head;
    enum err_code rc = rpc_block_number(d->rpc, &head, err);

    for (uint64_t at = d->from; rc == E_OK && at <= head;) {
        uint64_t to = head - at < range ? head : at + range - 1;
        struct rpc_filter filter = {at, to, &d->settlement, 1};
        struct rpc_log *logs;
        size_t n;

        arena_reset(d->arena);
        rc = rpc_logs(d->rpc, &filter, d->arena, &logs, &n, err);
        if (rc == E_PEER && range > 1) {
            range /= 2;
            rc = E_OK;
            continue;
        }
        if (rc == E_OK)
            rc = history_add(&d->history, logs, n, err);
        at = to + 1;
    }
    history_sort(&d->history);
    return rc;
}

/* What a batch's settle() call lists, whose event it must agree with. @entries in the arena */
static enum err_code read_entries(struct declared *d, const struct said *said,
                                  struct bytes *entries, struct err *err)
{
    struct abi_value args[5];
    struct rpc_tx tx;
    struct digest root;
    uint8_t selector[4];
    uint64_t epoch;
    uint64_t increase;
    enum err_code rc = rpc_transaction(d->rpc, said->tx, d->arena, &tx, err);

    if (rc != E_OK)
        return rc;
    abi_selector(ABI_SETTLE, selector);
    if (!address_eq(tx.to, d->settlement) || tx.input.n < sizeof(selector) ||
        memcmp(tx.input.p, selector, sizeof(selector)) != 0)
        return err_set(err, E_PEER, "a batch was not settled by a plain call");
    rc = abi_decode(ABI_SETTLE, bytes_of(tx.input.p + 4, tx.input.n - 4), args, ARRAY_LEN(args),
                    err);
    if (rc == E_OK)
        rc = entries_root(args[4].data, &root, err);
    if (rc != E_OK)
        return rc;
    if (!abi_to_u64(&args[0], &epoch) || !abi_to_u64(&args[1], &increase))
        return err_set(err, E_PEER, "a batch's numbers do not fit");
    if (epoch != said->epoch || increase != said->increase ||
        memcmp(&root, &said->root, sizeof(root)) != 0)
        return err_set(err, E_PEER, "event and calldata of epoch %" PRIu64 " differ", said->epoch);
    *entries = args[4].data;
    return E_OK;
}

static enum err_code add(struct declared *d, const struct said *s, struct err *err)
{
    struct bytes entries = {NULL, 0};
    uint64_t by[2];
    enum err_code rc;

    arena_reset(d->arena);
    rc = read_entries(d, s, &entries, err);
    if (rc == E_OK && s->epoch != ++d->last)
        rc = err_set(err, E_PEER, "epoch %" PRIu64 " is missing: ask from an earlier block",
                     d->last);
    if (rc != E_OK)
        return rc;
    if (history_is_voided(&d->history, s->epoch)) {
        printf("epoch %" PRIu64 " voided\n", s->epoch);
        return E_OK;
    }
    rc = growth_add(&d->growth, entries, by, err);
    if (rc != E_OK)
        return rc;
    if (__builtin_add_overflow(d->sum, s->increase, &d->sum))
        return err_set(err, E_RANGE, "the declared increases' sum does not fit");
    printf("epoch %" PRIu64 " declared %" PRIu64 " earned +%" PRIu64 " spent +%" PRIu64 "%s\n",
           s->epoch, s->increase, by[0], by[1], s->increase == by[0] ? "" : "  (differs)");
    return E_OK;
}

static enum err_code check(struct declared *d, struct err *err)
{
    enum err_code rc = read_history(d, err);

    for (size_t i = 0; rc == E_OK && i < d->history.n; i++)
        rc = add(d, &d->history.batches[i], err);
    if (rc != E_OK)
        return rc;
    printf("declared %" PRIu64 " units, listed as earned %" PRIu64 ", as spent %" PRIu64 "\n",
           d->sum, d->growth.sum[0], d->growth.sum[1]);
    if (d->sum > d->growth.sum[0])
        return err_set(err, E_DIGEST_MISMATCH, "%" PRIu64 " units more are declared than listed",
                       d->sum - d->growth.sum[0]);
    if (d->sum < d->growth.sum[0])
        return err_set(err, E_DIGEST_MISMATCH, "%" PRIu64 " units more are listed than declared",
                       d->growth.sum[0] - d->sum);
    return E_OK;
}

static bool read_options(int argc, char **argv, struct declared *d, const char **url,
                         const char **chain_id)
{
    bool where = false;

    for (int i = 2; i + 1 < argc; i += 2) {
        char *end = NULL;

        if (strcmp(argv[i], "--rpc") == 0)
            *url = argv[i + 1];
        else if (strcmp(argv[i], "--chain-id") == 0)
            *chain_id = argv[i + 1];
        else if (strcmp(argv[i], "--settlement") == 0 || strcmp(argv[i], "--contract") == 0)
            where = address_parse(text_of(argv[i + 1]), &d->settlement);
        else if (strcmp(argv[i], "--from") == 0 && argv[i + 1][0] >= '0' && argv[i + 1][0] <= '9')
            d->from = strtoull(argv[i + 1], &end, 10);
        else
            return false;
        if (end && *end != '\0')
            return false;
    }
    return argc % 2 == 0 && *url && where;
}

int declared_main(int argc, char **argv)
{
    struct declared d = {.from = 0};
    struct err err = {0};
    const char *url = NULL;
    const char *chain_id = NULL;
    enum err_code rc;

    if (!read_options(argc, argv, &d, &url, &chain_id))
        return usage(stderr);
    d.arena = arena_new();
    d.history = history_new();
    d.rpc = rpc_new(url, 10000);
    rc = chain_meet(d.rpc, chain_id, &err);
    if (rc == E_OK)
        rc = check(&d, &err);
    if (rc == E_OK)
        puts("verified: what is declared is what is listed");
    else
        fprintf(stderr, "ogpu-verify: %s: %s\n",
                rc == E_DIGEST_MISMATCH ? "refuted" : "not checked", err.text);
    history_done(&d.history);
    growth_done(&d.growth);
    rpc_free(d.rpc);
    arena_free(d.arena);
    return rc == E_OK ? 0 : rc == E_DIGEST_MISMATCH ? 1 : 2;
}
