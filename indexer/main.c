/* SPDX-License-Identifier: MIT */
/* ogpu-indexer: final facts of the chain into the books. Reads the chain, holds no key, serves
 * nobody. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "eth/address.h"
#include "indexer/indexer.h"
#include "lib/config.h"
#include "lib/log.h"

struct options {
    const char *database_url;
    const char *rpc_url;
    const char *vault;
    const char *settlement;
    const char *finality;
    int64_t chain_id;
    int64_t start_block;
    int64_t poll_ms;
};

#define ROW(name, type, fallback, min, max, secret, member, help)                      \
    {                                                                                  \
        name, type, fallback, min, max, secret, offsetof(struct options, member), help \
    }

static const struct config_row rows[] = {
    ROW("DATABASE_URL", CONFIG_TEXT, NULL, 0, 0, true, database_url, "PostgreSQL"),
    ROW("L1_RPC_URL", CONFIG_TEXT, NULL, 0, 0, false, rpc_url, "JSON-RPC endpoint of the chain"),
    ROW("L1_CHAIN_ID", CONFIG_INT, NULL, 1, INT64_MAX, false, chain_id,
        "chain id the node must have"),
    ROW("L1_VAULT", CONFIG_TEXT, NULL, 0, 0, false, vault, "address of the Vault contract"),
    ROW("L1_SETTLEMENT", CONFIG_TEXT, NULL, 0, 0, false, settlement,
        "address of the Settlement contract"),
    ROW("L1_START_BLOCK", CONFIG_INT, "0", 0, INT64_MAX, false, start_block,
        "first block that may hold our logs"),
    ROW("OGPU_FINALITY", CONFIG_TEXT, "tag:finalized", 0, 0, false, finality,
        "tag:finalized, tag:safe or depth:N"),
    ROW("OGPU_POLL_MS", CONFIG_INT, "1000", 50, 600000, false, poll_ms,
        "pause between looks at the chain"),
};

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

static int fail(const struct err *err)
{
    fprintf(stderr, "ogpu-indexer: %s\n", err->text);
    return 1;
}

static void pause_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};

    nanosleep(&t, NULL); /* a signal ends it early, which is what we want */
}

static enum err_code open_all(const struct options *o, struct indexer *ix, struct err *err)
{
    enum err_code rc = finality_parse(o->finality, &ix->finality, err);

    if (rc != E_OK)
        return rc;
    if (!address_parse(text_of(o->vault), &ix->vault) ||
        !address_parse(text_of(o->settlement), &ix->settlement))
        return err_set(err, E_CONFIG, "L1_VAULT and L1_SETTLEMENT must be addresses");
    ix->start_block = o->start_block;
    ix->arena = arena_new();
    ix->rpc = rpc_new(o->rpc_url, 10000);
    return db_conn_open(o->database_url, &ix->db, err);
}

/* The wrong chain would fill the books with a stranger's facts. */
static enum err_code check_chain(struct indexer *ix, int64_t wanted, struct err *err)
{
    uint64_t id;
    enum err_code rc = rpc_chain_id(ix->rpc, &id, err);

    if (rc == E_OK && id != (uint64_t)wanted)
        return err_set(err, E_CONFIG, "the node is of chain %llu, not %lld", (unsigned long long)id,
                       (long long)wanted);
    return rc;
}

/* Until a signal: check the chain once it answers, then step by step; what cannot be stepped over
 * is said again and again. */
static int loop(struct indexer *ix, const struct options *o)
{
    bool checked = false;

    while (!stopping) {
        struct err err = {0};
        uint64_t booked = 0;
        enum err_code rc = checked ? E_OK : check_chain(ix, o->chain_id, &err);

        if (rc == E_CONFIG)
            return fail(&err);
        if (rc == E_OK) {
            checked = true;
            rc = indexer_step(ix, &booked, &err);
        }
        if (rc == E_NOT_FOUND || rc == E_DIGEST_MISMATCH || rc == E_INTERNAL)
            log_error("halted", "code=%s text=%s", err_info(rc)->word, err.text);
        else if (rc != E_OK)
            log_warn("retry", "code=%s text=%s", err_info(rc)->word, err.text);
        if (booked == 0)
            pause_ms(o->poll_ms);
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct indexer ix = {0};
    struct options o;
    struct err err = {0};
    int rc;

    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        puts("usage: ogpu-indexer [--option value]...\n");
        config_help(rows, ARRAY_LEN(rows));
        return 0;
    }
    log_open("ogpu-indexer", LOG_LEVEL_INFO);
    if (config_load(rows, ARRAY_LEN(rows), argc - 1, argv + 1, &o, &err) != E_OK)
        return fail(&err);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    if (open_all(&o, &ix, &err) != E_OK)
        return fail(&err);
    log_info("started", "finality=%s", o.finality);
    rc = loop(&ix, &o);
    db_conn_close(ix.db);
    rpc_free(ix.rpc);
    arena_free(ix.arena);
    log_info("stopped", NULL);
    return rc;
}
