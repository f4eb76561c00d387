/* SPDX-License-Identifier: MIT */
#include "server/metrics.h"

#include <stdlib.h>
#include <string.h>

#include "server/router.h"

#define DURATION    "http_server_request_duration_seconds"
#define SOURCES_MAX 16

static const double bounds[] = {0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25,
                                0.5,   0.75, 1,     2.5,  5,     7.5, 10};
#define BUCKETS ARRAY_LEN(bounds)

/* One (route, method, status) that has occurred. */
struct series {
    struct series *next;
    bool head;
    int status;
    uint64_t count;
    double sum;
    uint64_t bucket[BUCKETS];
};

struct metrics {
    const struct router *router;
    struct series **by_route; /* router_count() + 1 lists */
    char version[64];
    uint64_t refused;
    struct {
        metrics_source source;
        void *ctx;
    } more[SOURCES_MAX];
    size_t n_more;
};

struct metrics *metrics_new(const struct router *router, const char *version)
{
    struct metrics *m = calloc(1, sizeof(*m));

    if (!m)
        abort();
    m->router = router;
    m->by_route = calloc(router_count(router) + 1, sizeof(*m->by_route));
    if (!m->by_route)
        abort();
    strncpy(m->version, version, sizeof(m->version) - 1);
    return m;
}

void metrics_free(struct metrics *m)
{
    if (!m)
        return;
    for (size_t i = 0; i <= router_count(m->router); i++) {
        struct series *s = m->by_route[i];

        while (s) {
            struct series *next = s->next;

            free(s);
            s = next;
        }
    }
    free(m->by_route);
    free(m);
}

void metrics_register(struct metrics *m, metrics_source source, void *ctx)
{
    if (m->n_more == SOURCES_MAX)
        abort(); /* a fixed number of floors registers at start */
    m->more[m->n_more].source = source;
    m->more[m->n_more++].ctx = ctx;
}

static struct series *series_of(struct metrics *m, size_t route, bool head, int status)
{
    struct series *s;

    for (s = m->by_route[route]; s; s = s->next) {
        if (s->status == status && s->head == head)
            return s;
    }
    s = calloc(1, sizeof(*s));
    if (!s)
        abort();
    s->head = head;
    s->status = status;
    s->next = m->by_route[route];
    m->by_route[route] = s;
    return s;
}

void metrics_request(struct metrics *m, size_t route, bool head, int status, int64_t us)
{
    struct series *s = series_of(m, route, head, status);
    double seconds = (double)us / 1e6;
    size_t i = 0;

    s->count++;
    s->sum += seconds;
    while (i < BUCKETS && seconds > bounds[i])
        i++;
    if (i < BUCKETS)
        s->bucket[i]++;
}

void metrics_refused(struct metrics *m)
{
    m->refused++;
}

/* A full buffer ends the text; the scrape then shows a cut line, which is loud enough. */
static void put(struct buf *out, const char *s)
{
    if (buf_add(out, s, strlen(s), NULL) != E_OK)
        return;
}

void metrics_family(struct buf *out, const char *name, const char *type, const char *help)
{
    if (buf_printf(out, NULL, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type) != E_OK)
        return;
}

void metrics_sample(struct buf *out, const char *name, const char *labels, double value)
{
    put(out, name);
    if (labels && *labels && buf_printf(out, NULL, "{%s}", labels) != E_OK)
        return;
    if (buf_printf(out, NULL, " %.17g\n", value) != E_OK)
        return;
}

static void write_series(struct buf *out, const struct route *route, const struct series *s)
{
    char labels[256];
    char with_le[288];
    uint64_t total = 0;

    snprintf(labels, sizeof(labels), "method=\"%s\",route=\"%s\",status=\"%d\"",
             s->head ? "HEAD"
             : route ? route->method
                     : "",
             route ? route->path : "", s->status);
    for (size_t i = 0; i < BUCKETS; i++) {
        total += s->bucket[i];
        snprintf(with_le, sizeof(with_le), "%s,le=\"%g\"", labels, bounds[i]);
        metrics_sample(out, DURATION "_bucket", with_le, (double)total);
    }
    snprintf(with_le, sizeof(with_le), "%s,le=\"+Inf\"", labels);
    metrics_sample(out, DURATION "_bucket", with_le, (double)s->count);
    metrics_sample(out, DURATION "_sum", labels, s->sum);
    metrics_sample(out, DURATION "_count", labels, (double)s->count);
}

void metrics_write(struct metrics *m, struct buf *out)
{
    size_t n = router_count(m->router);
    char labels[96];

    snprintf(labels, sizeof(labels), "version=\"%s\"", m->version);
    metrics_family(out, "ogpu_build_info", "gauge", "The running build.");
    metrics_sample(out, "ogpu_build_info", labels, 1);
    metrics_family(out, DURATION, "histogram",
                   "Requests by route template, from first line to end.");
    for (size_t i = 0; i <= n; i++) {
        for (const struct series *s = m->by_route[i]; s; s = s->next)
            write_series(out, i < n ? router_at(m->router, i) : NULL, s);
    }
    metrics_family(out, "ogpu_http_refused_total", "counter",
                   "Requests refused before routing: malformed or ambiguous.");
    metrics_sample(out, "ogpu_http_refused_total", NULL, (double)m->refused);
    for (size_t i = 0; i < m->n_more; i++)
        m->more[i].source(out, m->more[i].ctx);
}
