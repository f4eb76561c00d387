/* SPDX-License-Identifier: MIT */
/* ogpu-gateway: the HTTP API, its background jobs, and the operator's commands. Holds no chain key.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "api.h"
#include "db/lane.h"
#include "gateway/config.h"
#include "gateway/key.h"
#include "gateway/figures.h"
#include "keeper/keeper.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "queue/thread.h"
#include "server/blobs.h"
#include "server/loop.h"
#include "server/pool.h"
#include "server/server.h"

#define VERSION     "1.0.0"
#define DATABASE_US 60000000LL

static const char usage[] = "usage: ogpu-gateway [--option value …]   serve\n"
                            "       ogpu-gateway config show         what is set, and by whom\n"
                            "       ogpu-gateway key create|list|revoke …\n\noptions:\n";

static void ring(void *ctx, uint64_t topic)
{
    struct app *app = ctx;

    wait_ring(app->loop, topic);
}

/* The database may still be starting: after a power cut everything does at once. */
static enum err_code open_lanes(const struct gateway_config *config, struct db_lanes **out,
                                struct err *err)
{
    const struct db_lanes_config lanes = {
        .url = config->database_url,
        .write_lanes = (int)config->write_lanes,
        .read_lanes = (int)config->read_lanes,
        .slow_lanes = (int)config->slow_lanes,
        .queue_max = (size_t)config->lane_queue,
    };
    const struct timespec pause = {.tv_nsec = 500000000};
    int64_t until = clock_mono_us() + DATABASE_US;
    bool told = false;
    enum err_code rc;

    while ((rc = db_lanes_open(&lanes, out, err)) == E_DB_DOWN && clock_mono_us() < until) {
        if (!told)
            log_warn("database_away", "reason=%s", err->text);
        told = true;
        nanosleep(&pause, NULL);
    }
    return rc;
}

static enum err_code open_services(const struct gateway_config *config, struct app *app,
                                   struct err *err)
{
    const struct queue_config queue = {.url = config->redis_url, .ring = ring, .ctx = app};
    enum err_code rc = loop_new(&app->loop, err);

    if (rc == E_OK)
        rc = blobs_open(config->blob_dir, &app->blobs, err);
    if (rc == E_OK)
        rc = open_lanes(config, &app->lanes, err);
    if (rc == E_OK)
        rc = queue_start(&queue, &app->queue, err);
    if (rc == E_OK) {
        app->pool = pool_new((size_t)config->pool_threads, (size_t)config->pool_queue);
        if (app->pool == NULL)
            rc = err_set(err, E_IO, "cannot start the pool's threads");
    }
    return rc;
}

static void server_config_of(const struct gateway_config *config, struct server_config *out)
{
    server_config_default(out);
    out->routes = api_routes;
    out->n_routes = OP_ID_COUNT;
    out->openapi_json = api_openapi_json;
    out->openapi_yaml = api_openapi_yaml;
    out->openapi_tag = api_openapi_tag;
    out->version = VERSION;
    out->connections_max = (size_t)config->connections;
    out->lame_ms = config->lame_ms;
    out->drain_ms = config->drain_ms;
    out->access_log = config->access_log;
}

static int serve(int argc, char **argv)
{
    struct app app = {0};
    struct gateway_config config;
    struct server_config http;
    struct server *server = NULL;
    struct keeper *keeper = NULL;
    struct err err = {0};
    enum err_code rc = gateway_config_load(argc, argv, &config, &app, &err);

    if (rc == E_OK)
        rc = open_services(&config, &app, &err);
    if (rc == E_OK)
        rc = keeper_start(&app, &keeper, &err);
    if (rc == E_OK) {
        server_config_of(&config, &http);
        rc = server_start(&http, &app, &server, &err);
    }
    if (rc != E_OK) {
        /* Nothing was served: the process ends, and with it every thread. */
        fprintf(stderr, "ogpu-gateway: %s\n", err.text);
        return 1;
    }
    figures_register(server_metrics(server), &app);
    server_catch_signals(server);
    log_info("serving", "listen=%s", config.listen);
    rc = server_run(server, &err);
    if (rc != E_OK)
        log_error("server_broke", "reason=%s", err.text);
    /* Callers before callees: whoever may still post ends first. */
    keeper_stop(keeper);
    pool_free(app.pool);
    db_lanes_close(app.lanes);
    queue_stop(app.queue);
    server_free(server);
    blobs_close(app.blobs);
    loop_free(app.loop);
    log_info("stopped", NULL);
    return rc == E_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    log_open("ogpu-gateway", LOG_LEVEL_INFO);
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)) {
        fputs(usage, stdout);
        config_help(gateway_rows, gateway_rows_n);
        return 0;
    }
    if (argc > 2 && strcmp(argv[1], "config") == 0 && strcmp(argv[2], "show") == 0) {
        config_show(gateway_rows, gateway_rows_n, argc - 3, argv + 3);
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "key") == 0)
        return key_command(argc - 2, argv + 2);
    if (argc > 1 && strncmp(argv[1], "--", 2) != 0) {
        fputs(usage, stderr);
        return 2;
    }
    return serve(argc - 1, argv + 1);
}
