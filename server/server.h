/* SPDX-License-Identifier: MIT */
#ifndef SERVER_SERVER_H
#define SERVER_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/bytes.h"
#include "lib/err.h"
#include "server/app.h"
#include "server/route.h"

struct metrics;

/** How the HTTP side behaves; server_config_default() fills it, the caller changes what it must. */
struct server_config {
    const struct route *routes; /**< the generated table */
    size_t n_routes;
    struct bytes openapi_json; /**< the contract, as served; p NULL: not served */
    struct bytes openapi_yaml;
    const char *openapi_tag; /**< changes with the contract */
    const char *version;     /**< of the build, for metrics and the index */

    int64_t headers_ms;     /**< deadline of a request's headers */
    int64_t request_ms;     /**< deadline of a request, waits and steady streams excluded */
    int64_t idle_ms;        /**< between two requests of a connection */
    int64_t age_ms;         /**< of a connection */
    int64_t bytes_per_s;    /**< slower streams are cut once request_ms is over */
    int64_t lame_ms;        /**< after a stop was asked: not ready, but still serving */
    int64_t drain_ms;       /**< then: longest wait for requests in flight */
    size_t connections_max; /**< lowered to what the file limit allows */
    size_t streams_max;     /**< uploads at once; each holds 1 MiB */
    bool access_log;
};

struct server;

/** The defaults: 5 s headers, 30 s requests, 75 s idle, 300 s age, 64 KiB/s, 2 s lame, 30 s drain.
 */
void server_config_default(struct server_config *config);

/**
 * Bind, build the route table, read the documents. Nothing is served before server_run().
 *
 * @config  copied
 * @app     listen, docs_dir, public_url, chain members and lanes, queue, pool, blobs are read;
 * `loop` must have been made with loop_new() (bells may ring before this)
 * @out     freed with server_free()
 * @return  E_CONFIG (address, route table), E_IO (port taken)
 */
MUST_CHECK enum err_code server_start(const struct server_config *config, struct app *app,
                                      struct server **out, struct err *err);

/** The port in use; for listen addresses with port 0. */
uint16_t server_port(const struct server *server);

/**
 * Serve until a stop was asked and requests have drained: the calling thread is the HTTP thread.
 *
 * @return E_OK also when requests were cut at the end of drain_ms; E_IO when the loop broke
 */
MUST_CHECK enum err_code server_run(struct server *server, struct err *err);

/** Let SIGTERM and SIGINT ask for a stop. Call once. */
void server_catch_signals(struct server *server);

/** Ask for a stop; any thread and signal handlers. A second call skips the lame time. */
void server_stop(struct server *server);

/** After server_run(). The lanes, queue and pool must be closed first: they may still hold calls of
 * cut requests. */
void server_free(struct server *server);

/** Where other floors register what they count: server/metrics.h. */
struct metrics *server_metrics(struct server *server);

#endif
