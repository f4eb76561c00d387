/* SPDX-License-Identifier: MIT */
#ifndef GATEWAY_CONFIG_H
#define GATEWAY_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/config.h"
#include "lib/err.h"
#include "server/app.h"

/** Everything an operator may set; gateway/config.c lists names, defaults and bounds. */
struct gateway_config {
    const char *listen;
    const char *public_url;
    const char *database_url;
    const char *redis_url;
    const char *blob_dir;
    const char *docs_dir;
    const char *settlement;
    const char *vault;
    int64_t chain_id;
    int64_t claim_delay_s;
    int64_t fee_bps;
    int64_t lease_s;
    int64_t attempts_max;
    int64_t blob_quota_bytes;
    int64_t write_lanes;
    int64_t read_lanes;
    int64_t slow_lanes;
    int64_t lane_queue;
    int64_t pool_threads;
    int64_t pool_queue;
    int64_t connections;
    int64_t lame_ms;
    int64_t drain_ms;
    bool access_log;
};

extern const struct config_row gateway_rows[];
extern const size_t gateway_rows_n;

/**
 * Read the configuration and fill the app's part of it.
 *
 * @argv  `argc` arguments behind the program's name; texts of `out` and `app` borrow from them
 * @return E_CONFIG
 */
MUST_CHECK enum err_code gateway_config_load(int argc, char **argv, struct gateway_config *out,
                                             struct app *app, struct err *err);

#endif
