/* SPDX-License-Identifier: MIT */
#include "gateway/config.h"

#include <stddef.h>

#include "eth/address.h"

#define AT(member) offsetof(struct gateway_config, member)

const struct config_row gateway_rows[] = {
    {"OGPU_LISTEN", CONFIG_TEXT, "127.0.0.1:8080", 0, 0, false, AT(listen), "address and port"},
    {"OGPU_PUBLIC_URL", CONFIG_TEXT, "", 0, 0, false, AT(public_url),
     "how clients reach us, for links that leave the API"},
    {"DATABASE_URL", CONFIG_TEXT, NULL, 0, 0, true, AT(database_url), "PostgreSQL"},
    {"REDIS_URL", CONFIG_TEXT, "redis://127.0.0.1:6379", 0, 0, true, AT(redis_url),
     "open slots and bells; may be away"},
    {"OGPU_BLOB_DIR", CONFIG_TEXT, NULL, 0, 0, false, AT(blob_dir),
     "uploads by digest; one folder for all gateways"},
    {"OGPU_DOCS_DIR", CONFIG_TEXT, "", 0, 0, false, AT(docs_dir), "files of /docs/"},
    {"L1_CHAIN_ID", CONFIG_INT, NULL, 1, INT64_MAX, false, AT(chain_id), "chain of the contracts"},
    {"L1_SETTLEMENT", CONFIG_TEXT, NULL, 0, 0, false, AT(settlement),
     "Settlement contract, verifyingContract of every signature"},
    {"L1_VAULT", CONFIG_TEXT, NULL, 0, 0, false, AT(vault), "Vault contract"},
    {"OGPU_CLAIM_DELAY_S", CONFIG_INT, "86400", 0, 31536000, false, AT(claim_delay_s),
     "the contract's delay before a payout can be claimed"},
    {"OGPU_FEE_BPS", CONFIG_INT, "0", 0, 10000, false, AT(fee_bps),
     "fee on accepted rewards, basis points"},
    {"OGPU_LEASE_S", CONFIG_INT, "30", 1, 3600, false, AT(lease_s),
     "lease of an attempt, renewed by heartbeats"},
    {"OGPU_ATTEMPTS_MAX", CONFIG_INT, "5", 1, 1000, false, AT(attempts_max),
     "failed attempts after which a task fails"},
    {"OGPU_BLOB_QUOTA_BYTES", CONFIG_INT, "17179869184", 0, INT64_MAX, false, AT(blob_quota_bytes),
     "bytes one account or attempt may hold"},
    {"OGPU_WRITE_LANES", CONFIG_INT, "2", 1, 64, false, AT(write_lanes),
     "connections for hot writes"},
    {"OGPU_READ_LANES", CONFIG_INT, "2", 1, 64, false, AT(read_lanes),
     "connections for point reads"},
    {"OGPU_SLOW_LANES", CONFIG_INT, "1", 1, 64, false, AT(slow_lanes),
     "connections for rare writes"},
    {"OGPU_LANE_QUEUE", CONFIG_INT, "8192", 1, 1000000, false, AT(lane_queue),
     "calls waiting per lane before 503"},
    {"OGPU_POOL_THREADS", CONFIG_INT, "4", 1, 256, false, AT(pool_threads),
     "threads for signatures and blob files"},
    {"OGPU_POOL_QUEUE", CONFIG_INT, "1024", 1, 1000000, false, AT(pool_queue),
     "jobs waiting for the pool before 503"},
    {"OGPU_CONNECTIONS", CONFIG_INT, "4096", 16, 1000000, false, AT(connections),
     "HTTP connections at once"},
    {"OGPU_LAME_MS", CONFIG_INT, "2000", 0, 600000, false, AT(lame_ms),
     "not ready but serving, after a stop was asked"},
    {"OGPU_DRAIN_MS", CONFIG_INT, "30000", 0, 600000, false, AT(drain_ms),
     "longest wait for requests in flight"},
    {"OGPU_ACCESS_LOG", CONFIG_BOOL, "false", 0, 0, false, AT(access_log), "a line per request"},
};

const size_t gateway_rows_n = ARRAY_LEN(gateway_rows);

enum err_code gateway_config_load(int argc, char **argv, struct gateway_config *out,
                                  struct app *app, struct err *err)
{
    enum err_code rc = config_load(gateway_rows, gateway_rows_n, argc, argv, out, err);

    if (rc != E_OK)
        return rc;
    if (!address_parse(text_of(out->settlement), &app->settlement))
        return err_set(err, E_CONFIG, "L1_SETTLEMENT must be an address, 0x and 40 hex digits");
    if (!address_parse(text_of(out->vault), &app->vault))
        return err_set(err, E_CONFIG, "L1_VAULT must be an address, 0x and 40 hex digits");
    app->listen = out->listen;
    app->public_url = out->public_url;
    app->database_url = out->database_url;
    app->redis_url = out->redis_url;
    app->blob_dir = out->blob_dir;
    app->docs_dir = out->docs_dir;
    app->chain_id = (uint64_t)out->chain_id;
    app->claim_delay_s = out->claim_delay_s;
    app->fee_bps = out->fee_bps;
    app->lease_s = out->lease_s;
    app->attempts_max = out->attempts_max;
    app->blob_quota_bytes = out->blob_quota_bytes;
    return E_OK;
}
