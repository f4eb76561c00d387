/* SPDX-License-Identifier: MIT */
/* ogpu-indexer: final facts of the chain into the books. Reads the chain, holds no key, serves
 * nobody. */
#include <stdio.h>
#include <string.h>

#include "eth/address.h"
#include "indexer/indexer.h"
#include "indexer/mirror.h"
#include "indexer/run.h"
#include "lib/config.h"
#include "lib/log.h"

#define CURSOR "main"

struct options {
    const char *database_url;
    const char *rpc_url;
    const char *vault;
    const char *settlement;
    const char *finality;
    int64_t chain_id;
    int64_t start_block;
    int64_t poll_ms;
    const char *metrics;
};

static const struct config_row rows[] = {
    {"DATABASE_URL", CONFIG_TEXT, NULL, 0, 0, true, CONFIG_AT(database_url), "PostgreSQL"},
    {"L1_RPC_URL", CONFIG_TEXT, NULL, 0, 0, false, CONFIG_AT(rpc_url),
     "JSON-RPC endpoints of the chain, one or several behind commas"},
    {"L1_CHAIN_ID", CONFIG_INT, NULL, 1, INT64_MAX, false, CONFIG_AT(chain_id),
     "chain id the node must have"},
    {"L1_VAULT", CONFIG_TEXT, NULL, 0, 0, false, CONFIG_AT(vault), "address of the Vault contract"},
    {"L1_SETTLEMENT", CONFIG_TEXT, NULL, 0, 0, false, CONFIG_AT(settlement),
     "address of the Settlement contract"},
    {"L1_START_BLOCK", CONFIG_INT, "0", 0, INT64_MAX, false, CONFIG_AT(start_block),
     "first block that may hold our logs"},
    {"OGPU_FINALITY", CONFIG_TEXT, "tag:finalized", 0, 0, false, CONFIG_AT(finality),
     "tag:finalized, tag:safe or depth:N"},
    {"OGPU_POLL_MS", CONFIG_INT, "1000", 50, 600000, false, CONFIG_AT(poll_ms),
     "pause between looks at the chain"},
    {"OGPU_METRICS_LISTEN", CONFIG_TEXT, "", 0, 0, false, CONFIG_AT(metrics),
     "host:port for Prometheus metrics; empty: none"},
};

static int fail(const struct err *err)
{
    fprintf(stderr, "ogpu-indexer: %s\n", err->text);
    return 1;
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
    ix->figures.cursor = CURSOR;
    ix->arena = arena_new();
    ix->rpc = rpc_new(o->rpc_url, 10000);
    return db_conn_open(o->database_url, &ix->db, err);
}

static enum err_code step(void *who, uint64_t *booked, struct err *err)
{
    return indexer_step(who, booked, err);
}

int main(int argc, char **argv)
{
    struct indexer ix = {0};
    struct options o;
    struct err err = {0};
    struct run run;
    enum err_code rc;

    if (argc > 1 && strcmp(argv[1], "mirror") == 0)
        return mirror_main(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        puts("usage: ogpu-indexer [mirror] [--option value]...\n\n"
             "Final facts of our contracts into the books; mirror: those of upstream's.\n");
        config_help(rows, ARRAY_LEN(rows));
        return 0;
    }
    log_open("ogpu-indexer", LOG_LEVEL_INFO);
    if (config_load(rows, ARRAY_LEN(rows), argc - 1, argv + 1, &o, &err) != E_OK)
        return fail(&err);
    run_catch_signals();
    if (open_all(&o, &ix, &err) != E_OK)
        return fail(&err);
    log_info("started", "finality=%s", o.finality);
    run = (struct run){ix.rpc, o.chain_id, o.poll_ms, step, &ix, &ix.figures, o.metrics};
    rc = run_steps(&run, &err);
    db_conn_close(ix.db);
    rpc_free(ix.rpc);
    arena_free(ix.arena);
    log_info("stopped", NULL);
    return rc == E_OK ? 0 : fail(&err);
}
