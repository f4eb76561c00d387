/* SPDX-License-Identifier: MIT */
/* ogpu-indexer mirror: what upstream's own contracts tell, for the API to show. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "eth/address.h"
#include "indexer/mirror.h"
#include "indexer/run.h"
#include "lib/config.h"
#include "lib/log.h"

struct options {
    const char *database_url;
    const char *rpc_url;
    const char *nexus;
    const char *finality;
    int64_t chain_id;
    int64_t start_block;
    int64_t poll_ms;
    const char *metrics;
};

static const struct config_row rows[] = {
    {"DATABASE_URL", CONFIG_TEXT, NULL, 0, 0, true, CONFIG_AT(database_url), "PostgreSQL"},
    {"UPSTREAM_RPC_URL", CONFIG_TEXT, NULL, 0, 0, false, CONFIG_AT(rpc_url),
     "JSON-RPC endpoint of upstream's chain"},
    {"UPSTREAM_CHAIN_ID", CONFIG_INT, "1071", 1, INT64_MAX, false, CONFIG_AT(chain_id),
     "chain id the node must have"},
    {"UPSTREAM_NEXUS", CONFIG_TEXT, "0x2b0cC6058313801D5feb184a539e3a0C5A87a6a1", 0, 0, false,
     CONFIG_AT(nexus), "address of upstream's Nexus contract"},
    {"UPSTREAM_START_BLOCK", CONFIG_INT, "0", 0, INT64_MAX, false, CONFIG_AT(start_block),
     "first block that may hold its logs"},
    {"OGPU_FINALITY", CONFIG_TEXT, "tag:finalized", 0, 0, false, CONFIG_AT(finality),
     "tag:finalized, tag:safe or depth:N"},
    {"OGPU_POLL_MS", CONFIG_INT, "1000", 50, 600000, false, CONFIG_AT(poll_ms),
     "pause between looks at the chain"},
    {"OGPU_METRICS_LISTEN", CONFIG_TEXT, "", 0, 0, false, CONFIG_AT(metrics),
     "host:port for Prometheus metrics; empty: none"},
};

static int fail(const struct err *err)
{
    fprintf(stderr, "ogpu-indexer mirror: %s\n", err->text);
    return 1;
}

static enum err_code open_all(const struct options *o, struct mirror *m, struct err *err)
{
    enum err_code rc = finality_parse(o->finality, &m->finality, err);

    if (rc != E_OK)
        return rc;
    if (!address_parse(text_of(o->nexus), &m->nexus))
        return err_set(err, E_CONFIG, "UPSTREAM_NEXUS must be an address");
    m->chain_id = (uint64_t)o->chain_id;
    m->start_block = o->start_block;
    snprintf(m->cursor, sizeof(m->cursor), "mirror:%" PRIi64, o->chain_id);
    m->figures.cursor = m->cursor;
    m->arena = arena_new();
    m->rpc = rpc_new(o->rpc_url, 10000);
    return db_conn_open(o->database_url, &m->db, err);
}

static enum err_code step(void *who, uint64_t *booked, struct err *err)
{
    return mirror_step(who, booked, err);
}

int mirror_main(int argc, char **argv)
{
    struct mirror m = {0};
    struct options o;
    struct err err = {0};
    struct run run;
    enum err_code rc;

    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        puts("usage: ogpu-indexer mirror [--option value]...\n");
        config_help(rows, ARRAY_LEN(rows));
        return 0;
    }
    log_open("ogpu-mirror", LOG_LEVEL_INFO);
    if (config_load(rows, ARRAY_LEN(rows), argc - 1, argv + 1, &o, &err) != E_OK)
        return fail(&err);
    run_catch_signals();
    if (open_all(&o, &m, &err) != E_OK)
        return fail(&err);
    log_info("started", "chain=%" PRIi64 " nexus=%s finality=%s", o.chain_id, o.nexus, o.finality);
    run = (struct run){m.rpc, o.chain_id, o.poll_ms, step, &m, &m.figures, o.metrics};
    rc = run_steps(&run, &err);
    db_conn_close(m.db);
    rpc_free(m.rpc);
    arena_free(m.arena);
    log_info("stopped", NULL);
    return rc == E_OK ? 0 : fail(&err);
}
