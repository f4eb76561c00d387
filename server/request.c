/* SPDX-License-Identifier: MIT */
#include "server/request.h"

#include <stdlib.h>

#include "core/id.h"
#include "lib/clock.h"
#include "server/access.h"
#include "server/begin.h"
#include "server/linger.h"
#include "server/reply.h"
#include "server/state.h"
#include "server/stream.h"

/* A refused body up to this size is read and dropped, so that the connection lives on. */
#define DROP_MAX 65536

#define SPARES_MAX    1024
#define BODY_KEPT_MAX 65536

/* ---- life -------------------------------------------------------------------------------------
 */

static struct request *take(struct server *s)
{
    struct request *req = s->spare;
    struct arena *arena;
    char *body;
    size_t room;

    if (!req) {
        req = calloc(1, sizeof(*req));
        if (!req)
            abort();
        req->op.arena = arena_new();
    } else {
        s->spare = req->next_free;
        s->spares--;
    }
    arena = req->op.arena;
    body = req->body;
    room = req->body_room;
    memset(req, 0, sizeof(*req));
    req->op.arena = arena;
    req->body = body;
    req->body_room = room;
    req->server = s;
    req->op.app = s->app;
    req->op.request = req;
    req->reply.fd = -1;
    return req;
}

static void free_request(struct request *req)
{
    arena_free(req->op.arena);
    free(req->body);
    free(req);
}

static void give(struct request *req)
{
    struct server *s = req->server;

    for (struct cleanup *c = req->cleanups; c; c = c->next)
        c->run(c->arg);
    stream_free(req);
    reply_clear(req);
    json_decref(req->op.body);
    if (s->spares == SPARES_MAX) {
        free_request(req);
        return;
    }
    if (req->body_room > BODY_KEPT_MAX) {
        free(req->body);
        req->body = NULL;
        req->body_room = 0;
    }
    arena_reset(req->op.arena);
    req->next_free = s->spare;
    s->spare = req;
    s->spares++;
}

void request_free_all(struct server *server)
{
    while (server->spare) {
        struct request *next = server->spare->next_free;

        free_request(server->spare);
        server->spare = next;
    }
    server->spares = 0;
}

/* ---- the head ---------------------------------------------------------------------------------
 */

static void split_target(struct request *req, struct text target)
{
    const char *mark = memchr(target.s, '?', target.n);
    size_t path = mark ? (size_t)(mark - target.s) : target.n;

    req->op.path = (struct text){target.s, path};
    req->query = mark ? (struct text){mark + 1, target.n - path - 1} : text_of("");
}

void *request_on_target(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    struct server *s = cls;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct conn *conn = info->socket_context;
    struct request *req = take(s);
    int64_t now = clock_mono_us();

    req->mhd = mhd;
    req->conn = conn;
    req->op.started_us = now;
    req->looked_us = now;
    req->fault = guard_target(text_of(uri));
    if (!req->fault)
        split_target(req, arena_text(req->op.arena, text_of(uri)));
    s->in_flight++;
    conn->request = req;
    reaper_headers(&s->reaper, conn, now);
    return req;
}

static enum MHD_Result see_header(void *cls, enum MHD_ValueKind kind, const char *key, size_t key_n,
                                  const char *value, size_t value_n)
{
    (void)kind;
    guard_header(cls, (struct text){key, key_n}, (struct text){value, value_n});
    return MHD_YES;
}

static bool is_request_id(struct text t)
{
    if (t.n < 8 || t.n > 64)
        return false;
    for (size_t i = 0; i < t.n; i++) {
        char c = t.s[i];

        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
              c == '_' || c == '-'))
            return false;
    }
    return true;
}

/* splitmix64: ids must differ, they need not be secret. */
static uint64_t next_id(struct server *s)
{
    uint64_t z = (s->id_state += 0x9e3779b97f4a7c15U);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

static void name_request(struct request *req)
{
    struct text asked = req->guard.known[GUARD_REQUEST_ID];
    uint64_t noise[2];
    char id[ID_TEXT_MAX];

    if (!req->guard.fault && is_request_id(asked)) {
        memcpy(req->op.request_id, asked.s, asked.n);
        req->op.request_id[asked.n] = '\0';
        return;
    }
    noise[0] = next_id(req->server);
    noise[1] = next_id(req->server);
    id_format(ID_TASK, id_make(clock_wall_us() / 1000, (const uint8_t *)noise), id);
    memcpy(req->op.request_id, "req_", 4);
    memcpy(req->op.request_id + 4, id + 4, strlen(id + 4) + 1);
}

/* A request whose framing cannot be believed: answer and close, whatever follows is not read. */
static enum MHD_Result refuse_head(struct request *req)
{
    metrics_refused(req->server->metrics);
    reply_problem(req, E_BAD_REQUEST, req->fault ? req->fault : req->guard.fault, NULL);
    req->reply.close = true;
    return reply_queue(req);
}

/* Whether a refusal must go out before the body: it is long, endless, or not sent until we agree.
 */
static bool refuse_early(const struct request *req)
{
    const struct guard *g = &req->guard;

    return g->chunked || g->content_length > DROP_MAX ||
           (g->known[GUARD_EXPECT].s && g->content_length > 0);
}

/* After a step chain of a stream ran before its body: reply, read on, or stay suspended. */
static enum MHD_Result stream_head_done(struct request *req)
{
    if (req->suspended)
        return MHD_YES;
    req->head_done = true;
    if (req->stage != STAGE_READY)
        return MHD_YES;
    if (!refuse_early(req))
        return MHD_YES;
    /* Who waits for our word has sent nothing that could be left unread. */
    if (!req->guard.known[GUARD_EXPECT].s)
        return linger_begin(req);
    req->reply.close = true;
    return reply_queue(req);
}

static enum MHD_Result first_call(struct request *req, const char *method, const char *version)
{
    struct server *s = req->server;

    guard_begin(&req->guard, method, version);
    MHD_get_connection_values_n(req->mhd, MHD_HEADER_KIND, see_header, &req->guard);
    guard_end(&req->guard);
    reaper_request(&s->reaper, req->conn, clock_mono_us());
    name_request(req);
    if (req->fault || req->guard.fault)
        return refuse_head(req);
    strncpy(req->method, method, sizeof(req->method) - 1);
    begin_head(req);
    req->stage = req->reply.status ? STAGE_READY : STAGE_BODY;
    if (req->stage == STAGE_BODY && req->op.route->body == ROUTE_BODY_STREAM)
        request_step(req, begin_step);
    return stream_head_done(req);
}

/* ---- the body ---------------------------------------------------------------------------------
 */

static enum MHD_Result body_call(struct request *req, const char *data, size_t *size)
{
    bool reading = req->stage == STAGE_BODY;
    size_t taken = *size;

    if (reading && req->op.route->body == ROUTE_BODY_STREAM)
        taken = stream_take(req, data, *size);
    else if (reading)
        begin_collect(req, data, *size);
    else
        req->dropped += *size;
    if (req->stage == STAGE_BODY && req->reply.status)
        req->stage = STAGE_READY;
    req->body_seen += taken;
    *size -= taken;
    if (req->lingers)
        return req->dropped > LINGER_MAX ? MHD_NO : MHD_YES;
    reaper_progress(&req->server->reaper, req->conn, (int64_t)req->body_seen);
    /* A refused body that goes on and on is answered before its end, which may never come. */
    return req->dropped > DROP_MAX ? linger_begin(req) : MHD_YES;
}

/* Bytes written to a socket that the other side has closed look delivered. Where that matters to
 * the operation, look before. */
static enum MHD_Result reply_or_tell(struct request *req)
{
    if (req->parsed && req->op.route->op->undelivered && !request_client_is_there(req))
        return MHD_NO;
    return reply_queue(req);
}

static enum MHD_Result last_call(struct request *req)
{
    bool stream = req->stage == STAGE_BODY && req->op.route->body == ROUTE_BODY_STREAM;

    if (req->stage == STAGE_BODY && !stream)
        request_step(req, begin_step);
    while (stream && req->stage == STAGE_BODY && !req->suspended)
        stream_end(req);
    if (req->suspended)
        return MHD_YES;
    return req->stage == STAGE_READY ? reply_or_tell(req) : MHD_NO;
}

/* libmicrohttpd decides the parameters. NOLINTNEXTLINE(readability-function-size) */
enum MHD_Result request_on_access(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **ctx)
{
    struct request *req = *ctx;

    (void)cls;
    (void)mhd;
    (void)url; /* decoded and cut at %00: the raw target was read instead */
    if (!req || req->stage == STAGE_GONE)
        return MHD_NO;
    if (req->suspended) /* libmicrohttpd goes on through the chunks it already has */
        return MHD_YES;
    if (req->stage == STAGE_HEAD)
        return first_call(req, method, version);
    if (!req->head_done)
        return stream_head_done(req);
    if (*size > 0)
        return body_call(req, data, size);
    return last_call(req);
}

/* ---- the end ----------------------------------------------------------------------------------
 */

void request_on_completed(void *cls, struct MHD_Connection *mhd, void **ctx,
                          enum MHD_RequestTerminationCode code)
{
    struct server *s = cls;
    struct request *req = *ctx;
    struct op *op;

    (void)mhd;
    if (!req)
        return;
    op = &req->op;
    *ctx = NULL;
    req->conn->request = NULL;
    req->finished =
        req->stage == STAGE_SENT && (req->lingers || code == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    if (!req->finished && req->parsed && req->reply.status && op->route->op->undelivered)
        op->route->op->undelivered(op);
    if (op->request_id[0])
        access_done(req);
    else
        metrics_refused(s->metrics);
    wait_end(loop_bells(s->loop), &req->wait);
    reaper_idle(&s->reaper, req->conn, clock_mono_us());
    s->in_flight--;
    give(req);
}
