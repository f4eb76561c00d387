/* SPDX-License-Identifier: MIT */
#include "server/system.h"

#include <stdio.h>

#include "db/lane.h"
#include "eth/address.h"
#include "queue/thread.h"
#include "server/state.h"
#include "server/request.h"
#include "server/static.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_CAP  ((size_t)4 << 20)

/* The page needs inline styles and data: icons; scripts come from here alone. */
#define DOCS_CSP                                                                   \
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "    \
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; " \
    "form-action 'none'; frame-ancestors 'none'"
#define PAGE_CSP "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"

static struct server *server_of(struct op *op)
{
    return op->request->server;
}

/* ---- the index and the contract ---------------------------------------------------------------
 */

static enum op_next get_index(struct op *op)
{
    char contract[ADDRESS_TEXT_MAX];
    json_t *links =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "docs", "/docs/", "openapi",
                  "/openapi.json", "sources", "/v1/sources", "tasks", "/v1/tasks", "providers",
                  "/v1/providers", "settlements", "/v1/settlements", "account", "/v1/account",
                  "ready", "/readyz", "metrics", "/metrics");

    address_format(op->app->settlement, contract);
    return op_json(op, 200,
                   json_pack("{s:s, s:s, s:I, s:s, s:o}", "name", "OpenGPU Gateway", "version",
                             server_of(op)->config.version, "chain_id",
                             (json_int_t)op->app->chain_id, "contract", contract, "links", links));
}

static enum op_next contract_as(struct op *op, struct bytes text, const char *type)
{
    const char *tag = server_of(op)->config.openapi_tag;

    if (!text.p || !tag)
        return op_fail(op, E_NOT_FOUND, "this gateway was built without its contract");
    op_header(op, "Cache-Control", "public, max-age=60");
    return op_tagged(op, 200, text.p, text.n, type, tag);
}

static enum op_next get_openapi_json(struct op *op)
{
    return contract_as(op, server_of(op)->config.openapi_json, "application/json");
}

static enum op_next get_openapi_yaml(struct op *op)
{
    return contract_as(op, server_of(op)->config.openapi_yaml, "application/yaml");
}

/* ---- pages ------------------------------------------------------------------------------------
 */

static enum op_next get_docs(struct op *op)
{
    struct text name = op->request->match.param[0].value;
    const struct static_file *file =
        statics_find(server_of(op)->statics, name.n > 0 ? name : text_of("index.html"));

    if (!file)
        return op_fail(op, E_NOT_FOUND, "the documentation has no such file");
    op_header(op, "Content-Security-Policy", DOCS_CSP);
    op_header(op, "Referrer-Policy", "no-referrer");
    op_header(op, "Cache-Control", "public, max-age=300");
    return op_tagged(op, 200, file->bytes.p, file->bytes.n, file->media_type, file->tag);
}

/* The page's links are relative to /docs/. */
static enum op_next get_docs_root(struct op *op)
{
    op_header(op, "Location", "/docs/");
    return op_empty(op, 308);
}

static const char *blame_text(enum err_blame blame)
{
    if (blame == BLAME_CLIENT)
        return "The request must change before it can succeed.";
    return blame == BLAME_PEER ? "Something the gateway needs is away or slow."
                               : "The fault is ours; the request id helps us to find it.";
}

static enum op_next get_problem(struct op *op)
{
    struct text word = op->request->match.param[0].value;
    enum err_code code = err_by_word(word.s, word.n);
    const struct err_info *info = err_info(code);
    const char *page;

    /* Unknown words are E_INTERNAL too; E_OK is no problem. */
    if (code == E_OK || !text_is(word, info->word))
        return op_fail(op, E_NOT_FOUND, "no problem has this name");
    page =
        arena_printf(op->arena,
                     "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>%s</title>"
                     "<style>body{font:16px/1.5 sans-serif;max-width:40em;margin:3em auto}</style>"
                     "<h1>%s</h1><p>Code <code>%s</code>, HTTP status %d.</p><p>%s %s</p>"
                     "<p><a href=\"/docs/\">API documentation</a></p></html>\n",
                     info->title, info->title, info->wire, info->http, blame_text(info->blame),
                     info->retry ? "The same request may succeed later."
                                 : "Sending the same request again does not help.");
    op_header(op, "Content-Security-Policy", PAGE_CSP);
    op_header(op, "Cache-Control", "public, max-age=3600");
    return op_bytes(op, 200, page, strlen(page), "text/html; charset=utf-8");
}

/* ---- health -----------------------------------------------------------------------------------
 */

static enum op_next get_livez(struct op *op)
{
    return op_json(op, 200, json_pack("{s:s}", "status", "ok"));
}

static enum op_next get_readyz(struct op *op)
{
    const struct app *app = op->app;
    json_t *checks = json_object();
    bool database = !app->lanes || db_lanes_healthy(app->lanes);
    bool draining = server_of(op)->drain != DRAIN_NO;
    const char *status = draining ? "draining" : database ? "ok" : "failing";

    if (app->lanes)
        json_object_set_new(checks, "database", json_string(database ? "ok" : "failing"));
    if (app->queue) /* told, not judged: without Redis claims go by the database */
        json_object_set_new(checks, "redis", json_string(queue_up(app->queue) ? "ok" : "failing"));
    return op_json(op, database && !draining ? 200 : 503,
                   json_pack("{s:s, s:o}", "status", status, "checks", checks));
}

/* ---- metrics ----------------------------------------------------------------------------------
 */

static void free_buf(void *arg)
{
    buf_done(arg);
}

static enum op_next get_metrics(struct op *op)
{
    struct buf *out = arena_alloc(op->arena, sizeof(*out));

    out->cap = METRICS_CAP;
    metrics_write(server_of(op)->metrics, out);
    request_defer(op->request, free_buf, out);
    return op_bytes(op, 200, out->p, out->n, METRICS_TYPE);
}

static void gauge(struct buf *out, const char *name, const char *help, double value)
{
    metrics_family(out, name, "gauge", help);
    metrics_sample(out, name, NULL, value);
}

static void counter(struct buf *out, const char *name, const char *help, double value)
{
    metrics_family(out, name, "counter", help);
    metrics_sample(out, name, NULL, value);
}

static void http_metrics(struct buf *out, void *ctx)
{
    const struct server *s = ctx;
    struct auth_stats auth;

    gauge(out, "ogpu_http_connections", "Open connections.", (double)s->reaper.connections);
    gauge(out, "ogpu_http_requests_in_flight", "Requests between first line and end.",
          (double)s->in_flight);
    gauge(out, "ogpu_http_waiting", "Long polls that wait.",
          (double)wait_count(loop_bells(s->loop)));
    gauge(out, "ogpu_http_uploads", "Streamed bodies in progress.", (double)s->streams);
    counter(out, "ogpu_http_connections_total", "Connections accepted.",
            (double)s->reaper.accepted);
    counter(out, "ogpu_http_connections_cut_total", "Connections cut past a deadline.",
            (double)s->reaper.cut);
    auth_stats(s->auth, &auth);
    gauge(out, "ogpu_auth_entries", "Remembered tokens.", (double)auth.entries);
    counter(out, "ogpu_auth_hits_total", "Requests whose token was remembered.", (double)auth.hits);
    counter(out, "ogpu_auth_misses_total", "Requests whose token was looked up.",
            (double)auth.misses);
}

static void pool_metrics(struct buf *out, void *ctx)
{
    const struct server *s = ctx;
    struct pool_stats st;

    if (!s->app->pool)
        return;
    pool_stats(s->app->pool, &st);
    gauge(out, "ogpu_pool_threads", "Threads for blocking work.", (double)st.threads);
    gauge(out, "ogpu_pool_waiting", "Jobs in the queue.", (double)st.waiting);
    gauge(out, "ogpu_pool_running", "Jobs being run.", (double)st.running);
    counter(out, "ogpu_pool_done_total", "Jobs finished.", (double)st.done);
    counter(out, "ogpu_pool_refused_total", "Jobs refused because the queue was full.",
            (double)st.refused);
}

static void lane_family(struct buf *out, const struct db_lane_stats *stats, const char *name,
                        const char *type, const char *help, size_t offset)
{
    static const char *const labels[SQL_CLASS_COUNT] = {"class=\"read\"", "class=\"write\"",
                                                        "class=\"slow\""};

    metrics_family(out, name, type, help);
    for (size_t i = 0; i < SQL_CLASS_COUNT; i++)
        metrics_sample(out, name, labels[i],
                       (double)*(const uint64_t *)((const char *)&stats[i] + offset));
}

static void lane_metrics(struct buf *out, void *ctx)
{
    const struct server *s = ctx;
    struct db_lane_stats stats[SQL_CLASS_COUNT];

    if (!s->app->lanes)
        return;
    for (size_t i = 0; i < SQL_CLASS_COUNT; i++)
        db_lanes_stats(s->app->lanes, (enum sql_class)i, &stats[i]);
    lane_family(out, stats, "ogpu_lane_calls_total", "counter", "Database calls.",
                offsetof(struct db_lane_stats, calls));
    lane_family(out, stats, "ogpu_lane_batches_total", "counter", "Pipelines sent.",
                offsetof(struct db_lane_stats, batches));
    lane_family(out, stats, "ogpu_lane_retries_total", "counter", "Batches run again.",
                offsetof(struct db_lane_stats, retries));
    lane_family(out, stats, "ogpu_lane_lost_commits_total", "counter",
                "Commits whose answer was lost.", offsetof(struct db_lane_stats, lost_commits));
    lane_family(out, stats, "ogpu_lane_isolated_total", "counter",
                "Calls that raised inside the database: bugs of ours.",
                offsetof(struct db_lane_stats, isolated));
    lane_family(out, stats, "ogpu_lane_waiting", "gauge", "Calls that wait for their lane.",
                offsetof(struct db_lane_stats, waiting));
}

void system_register(struct server *server)
{
    metrics_register(server->metrics, http_metrics, server);
    metrics_register(server->metrics, pool_metrics, server);
    metrics_register(server->metrics, lane_metrics, server);
}

/* ---- tables -----------------------------------------------------------------------------------
 */

const struct op_def op_get_index = {.parse = get_index};
const struct op_def op_get_openapi_json = {.parse = get_openapi_json};
const struct op_def op_get_openapi_yaml = {.parse = get_openapi_yaml};
const struct op_def op_get_docs = {.parse = get_docs};
const struct op_def op_get_livez = {.parse = get_livez};
const struct op_def op_get_readyz = {.parse = get_readyz};
const struct op_def op_get_healthz = {.parse = get_readyz};
const struct op_def op_get_metrics = {.parse = get_metrics};

static const struct op_def op_get_docs_root = {.parse = get_docs_root};
static const struct op_def op_get_problem = {.parse = get_problem};

const struct route system_routes[] = {
    {.method = "GET", .path = "/docs", .operation = "get_docs_root", .op = &op_get_docs_root},
    {.method = "GET",
     .path = "/problems/{word}",
     .operation = "get_problem",
     .op = &op_get_problem},
};
const size_t system_route_count = ARRAY_LEN(system_routes);
