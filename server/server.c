/* SPDX-License-Identifier: MIT */
#include "server/server.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "db/listen.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/hex.h"
#include "lib/log.h"
#include "server/auth.h"
#include "server/drain.h"
#include "server/listen.h"
#include "server/request.h"
#include "server/state.h"
#include "server/static.h"
#include "server/system.h"

#define AUTH_ENTRIES 65536
/* Of one connection, for its head; larger heads are 431. The library clears all of it for every
 * request, which at 32 KiB showed in the profile. */
#define CONNECTION_POOL ((size_t)16384)
#define FILES_KEPT      256 /* descriptors for everything that is not a client */
#define REAPER_US       250000

/* The stop flag: the server that signals end. */
static struct server *volatile stop_target;

void server_config_default(struct server_config *config)
{
    *config = (struct server_config){
        .version = "dev",
        .headers_ms = 5000,
        .request_ms = 30000,
        .idle_ms = 75000,
        .age_ms = 300000,
        .bytes_per_s = 65536,
        .lame_ms = 2000,
        .drain_ms = 30000,
        .connections_max = 16384,
        .streams_max = 64,
        .access_log = true,
    };
}

static size_t connections_allowed(size_t wanted)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return wanted;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= 2 * FILES_KEPT)
        return wanted < FILES_KEPT ? wanted : FILES_KEPT;
    return limit.rlim_cur - FILES_KEPT < wanted ? limit.rlim_cur - FILES_KEPT : wanted;
}

/* ---- libmicrohttpd ----------------------------------------------------------------------------
 */

static void on_connection(void *cls, struct MHD_Connection *mhd, void **ctx,
                          enum MHD_ConnectionNotificationCode code)
{
    struct server *s = cls;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        reaper_close(&s->reaper, *ctx);
        return;
    }
    *ctx = reaper_open(&s->reaper,
                       MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd,
                       clock_mono_us());
}

static enum err_code start_mhd(struct server *s, struct err *err)
{
    s->mhd = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, request_on_access, s,
        MHD_OPTION_LISTEN_SOCKET, s->listen_fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)s->config.connections_max, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_POOL,
        MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_CONNECTION_TIMEOUT, 0U,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_NOTIFY_COMPLETED,
        request_on_completed, s, MHD_OPTION_URI_LOG_CALLBACK, request_on_target, s, MHD_OPTION_END);
    return s->mhd ? E_OK : err_set(err, E_IO, "libmicrohttpd did not start");
}

static void mhd_run(void *ctx)
{
    struct server *s = ctx;

    MHD_run(s->mhd);
}

static void turn(void *ctx, int64_t now_us)
{
    struct server *s = ctx;

    drain_turn(s, now_us);
    wait_turn(loop_bells(s->loop), now_us);
    if (now_us >= s->reaper_at_us) {
        reaper_turn(&s->reaper, now_us);
        s->reaper_at_us = now_us + REAPER_US;
    }
}

static int64_t sleep_us(void *ctx, int64_t now_us)
{
    struct server *s = ctx;
    int64_t next = wait_next(loop_bells(s->loop), now_us);
    MHD_UNSIGNED_LONG_LONG ms;

    if (next < 0 || next > s->reaper_at_us - now_us)
        next = s->reaper_at_us > now_us ? s->reaper_at_us - now_us : 0;
    /* 0 means that the library holds unread bytes of which no descriptor tells any more. */
    if (MHD_get_timeout(s->mhd, &ms) != MHD_NO && (int64_t)ms * 1000 < next)
        next = (int64_t)ms * 1000;
    return next;
}

/* ---- start ------------------------------------------------------------------------------------
 */

static void set_limits(struct server *s)
{
    const struct server_config *c = &s->config;

    s->config.connections_max = connections_allowed(c->connections_max);
    s->reaper.limits = (struct reaper_limits){
        .headers_us = c->headers_ms * 1000,
        .request_us = c->request_ms * 1000,
        .idle_us = c->idle_ms * 1000,
        .age_us = c->age_ms * 1000,
        .bytes_per_s = c->bytes_per_s,
        .connections_max = c->connections_max,
    };
}

/* Payload: the id's text; NULL after a gap, in which anything may have been revoked. */
static void hear_revocation(void *ctx, const char *payload)
{
    struct server *s = ctx;
    char digits[33];
    size_t n = 0;
    struct uuid id = {{0}};

    for (const char *p = payload; p && *p && n < 32; p++) {
        if (*p != '-')
            digits[n++] = *p;
    }
    if (payload && !hex_decode(digits, n, id.b, sizeof(id.b)))
        log_warn("odd_notification", "channel=%s", "ogpu_key_revoked");
    auth_revoked(s->auth, id);
}

static bool revocations_heard(void *ctx)
{
    struct server *s = ctx;

    return db_listen_fresh(s->revocations);
}

static enum err_code start_auth(struct server *s, struct err *err)
{
    enum err_code code;

    s->auth = auth_new(s->loop, AUTH_ENTRIES);
    if (!s->app->database_url)
        return E_OK;
    code = db_listen_open(s->app->database_url, "ogpu_key_revoked", hear_revocation, s,
                          &s->revocations, err);
    if (code == E_OK)
        auth_fresh_by(s->auth, revocations_heard, s);
    return code;
}

static enum err_code start_all(struct server *s, struct err *err)
{
    enum err_code code;

    s->router = router_new();
    code = router_add(s->router, s->config.routes, s->config.n_routes, err);
    if (code == E_OK)
        code = router_add(s->router, system_routes, system_route_count, err);
    if (code != E_OK)
        return code;
    s->metrics = metrics_new(s->router, s->config.version);
    s->statics = statics_read(s->app->docs_dir);
    system_register(s);
    code = listen_open(s->app->listen, &s->listen_fd, err);
    if (code == E_OK)
        code = start_auth(s, err);
    if (code == E_OK)
        code = start_mhd(s, err);
    return code;
}

enum err_code server_start(const struct server_config *config, struct app *app, struct server **out,
                           struct err *err)
{
    struct server *s = calloc(1, sizeof(*s));
    enum err_code code;

    if (!s)
        abort();
    s->config = *config;
    s->app = app;
    s->loop = app->loop;
    s->listen_fd = -1;
    signal(SIGPIPE, SIG_IGN); /* sendfile() has no flag against it */
    random_bytes(&s->id_state, sizeof(s->id_state));
    set_limits(s);
    code = start_all(s, err);
    if (code != E_OK)
        server_free(s);
    else
        *out = s;
    return code;
}

uint16_t server_port(const struct server *server)
{
    return listen_port(server->listen_fd);
}

enum err_code server_run(struct server *server, struct err *err)
{
    const struct loop_driver driver = {
        .fd = MHD_get_daemon_info(server->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd,
        .turn = turn,
        .run = mhd_run,
        .sleep_us = sleep_us,
        .ctx = server,
    };

    return loop_run(server->loop, &driver, err);
}

/* ---- stop -------------------------------------------------------------------------------------
 */

static void on_signal(int signal_number)
{
    (void)signal_number;
    if (stop_target)
        server_stop(stop_target);
}

void server_catch_signals(struct server *server)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

    stop_target = server;
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

void server_stop(struct server *server)
{
    atomic_fetch_add(&server->stop_asked, 1);
    loop_wake(server->loop);
}

/* Lanes and queue are closed: nothing can be undone for a request that was cut. And libmicrohttpd
 * refuses to stop over suspended connections. */
static void release_requests(struct server *s)
{
    for (struct conn *c = s->reaper.first; c; c = c->next) {
        if (!c->request)
            continue;
        c->request->parsed = false;
        if (c->request->suspended) {
            c->request->suspended = false;
            MHD_resume_connection(c->request->mhd);
        }
    }
}

void server_free(struct server *server)
{
    if (!server)
        return;
    stop_target = NULL;
    db_listen_close(server->revocations);
    if (server->mhd) {
        release_requests(server);
        MHD_stop_daemon(server->mhd); /* closes the listening socket if it still has it */
    } else if (server->listen_fd >= 0) {
        close(server->listen_fd);
    }
    request_free_all(server);
    reaper_free(&server->reaper);
    auth_free(server->auth);
    statics_free(server->statics);
    metrics_free(server->metrics);
    router_free(server->router);
    free(server);
}

struct metrics *server_metrics(struct server *server)
{
    return server->metrics;
}
