/* SPDX-License-Identifier: MIT */
/* The real server with toy operations: prints "port N", serves until SIGTERM. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/lane.h"
#include "lib/log.h"
#include "server/loop.h"
#include "server/pool.h"
#include "server/server.h"
#include "tests/support/http_toys.h"

static int die(const struct err *err)
{
    fprintf(stderr, "http_server: %s\n", err->text);
    return 1;
}

/* name=value arguments onto limits; the probes shorten what would take them half a minute. */
static void set_option(struct server_config *c, struct app *app, const char *arg)
{
    const struct {
        const char *name;
        int64_t *at;
    } numbers[] = {
        {"headers_ms=", &c->headers_ms},   {"request_ms=", &c->request_ms},
        {"idle_ms=", &c->idle_ms},         {"age_ms=", &c->age_ms},
        {"lame_ms=", &c->lame_ms},         {"drain_ms=", &c->drain_ms},
        {"bytes_per_s=", &c->bytes_per_s},
    };

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        size_t n = strlen(numbers[i].name);

        if (strncmp(arg, numbers[i].name, n) == 0)
            *numbers[i].at = strtoll(arg + n, NULL, 10);
    }
    if (strncmp(arg, "connections=", 12) == 0)
        c->connections_max = strtoul(arg + 12, NULL, 10);
    if (strncmp(arg, "listen=", 7) == 0)
        app->listen = arg + 7;
    if (strncmp(arg, "docs=", 5) == 0)
        app->docs_dir = arg + 5;
    if (strncmp(arg, "database=", 9) == 0)
        app->database_url = arg + 9;
    if (strcmp(arg, "quiet") == 0)
        c->access_log = false;
}

static enum err_code open_services(struct app *app, struct err *err)
{
    const struct db_lanes_config lanes = {
        .url = app->database_url,
        .write_lanes = 1,
        .read_lanes = 1,
        .slow_lanes = 1,
        .queue_max = 1024,
    };
    enum err_code code = loop_new(&app->loop, err);

    app->pool = pool_new(2, 8);
    if (code == E_OK && app->database_url)
        code = db_lanes_open(&lanes, &app->lanes, err);
    return code;
}

int main(int argc, char **argv)
{
    struct app app = {.listen = "127.0.0.1:0", .public_url = "", .chain_id = 1};
    struct server_config config;
    struct server *server;
    struct err err = {.code = E_OK};
    enum err_code code;

    log_open("http_server", LOG_LEVEL_INFO);
    server_config_default(&config);
    config.routes = toy_routes;
    config.n_routes = toy_route_count;
    for (int i = 1; i < argc; i++)
        set_option(&config, &app, argv[i]);
    if (open_services(&app, &err) != E_OK || server_start(&config, &app, &server, &err) != E_OK)
        return die(&err);
    server_catch_signals(server);
    printf("port %u\n", (unsigned)server_port(server));
    fflush(stdout);
    code = server_run(server, &err);
    if (app.lanes)
        db_lanes_close(app.lanes);
    pool_free(app.pool);
    server_free(server);
    loop_free(app.loop);
    return code == E_OK ? 0 : die(&err);
}
