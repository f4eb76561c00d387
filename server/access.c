/* SPDX-License-Identifier: MIT */
#include "server/access.h"

#include <stdio.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "server/state.h"

static const char *who_of(const struct request *req, char *out, size_t n)
{
    if (req->op.who.kind == WHO_NOBODY)
        return "-";
    snprintf(out, n, "%lld", (long long)req->op.who.account);
    return out;
}

void access_done(struct request *req)
{
    struct server *s = req->server;
    const struct op *op = &req->op;
    int64_t us = clock_mono_us() - op->started_us;
    const char *problem = req->reply.status >= 400 ? err_info(op->err.code)->wire : "-";
    const char *end = req->finished ? "sent" : req->stage == STAGE_GONE ? "gone" : "cut";
    char who[24];

    if (req->reply.status > 0)
        metrics_request(s->metrics, router_index(s->router, op->route),
                        strcmp(req->method, "HEAD") == 0, req->reply.status, us);
    if (!s->config.access_log)
        return;
    if (op->route && op->route->quiet && req->reply.status < 400)
        return;
    log_info("request",
             "request_id=%s method=%s route=%s path=%.*s account=%s status=%d code=%s end=%s "
             "dur_ms=%.3f",
             op->request_id, req->method, op->route ? op->route->path : "-",
             (int)(op->path.n < 256 ? op->path.n : 256), op->path.s ? op->path.s : "",
             who_of(req, who, sizeof(who)), req->reply.status, problem, end, (double)us / 1000.0);
}
