/* SPDX-License-Identifier: MIT */
#include "server/reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "server/state.h"

#define PROBLEM_TYPE "application/problem+json"
#define JSON_TYPE    "application/json"

void reply_clear(struct request *req)
{
    if (req->reply.fd >= 0)
        close(req->reply.fd);
    req->reply = (struct reply){.fd = -1};
}

static const char *header_of(const struct request *req, const char *name)
{
    for (const struct reply_header *h = req->reply.headers; h; h = h->next) {
        if (strcasecmp(h->name, name) == 0)
            return h->value;
    }
    return NULL;
}

void op_header(struct op *op, const char *name, const char *value)
{
    struct request *req = request_of(op);
    struct reply_header *h = req->reply.headers;

    while (h && strcasecmp(h->name, name) != 0)
        h = h->next;
    if (h) {
        h->value = arena_copy(op->arena, value, strlen(value));
        return;
    }
    h = arena_alloc(op->arena, sizeof(*h));
    h->name = arena_copy(op->arena, name, strlen(name));
    h->value = arena_copy(op->arena, value, strlen(value));
    h->next = req->reply.headers;
    req->reply.headers = h;
}

/* A later reply replaces an earlier one; headers set before it stay. */
static void set_body(struct request *req, int status, const void *p, size_t n, const char *type)
{
    if (req->reply.fd >= 0)
        close(req->reply.fd);
    req->reply.fd = -1;
    req->reply.status = status;
    req->reply.body = p;
    req->reply.n = n;
    req->reply.media_type = type;
}

void reply_problem(struct request *req, enum err_code code, const char *detail,
                   const struct violations *bad)
{
    struct op *op = &req->op;
    const struct problem problem = {
        .code = code == E_OK ? E_INTERNAL : code,
        .base = op->app->public_url,
        .instance = op->path,
        .request_id = op->request_id,
        .detail = detail,
        .bad = bad,
    };
    const struct err_info *info = err_info(problem.code);
    struct text body = problem_body(op->arena, &problem);

    reply_clear(req);
    op->err.code = problem.code;
    set_body(req, info->http, body.s, body.n, PROBLEM_TYPE);
    if (info->http == 503 || info->http == 429 || (info->http == 409 && info->retry))
        op_header(op, "Retry-After", "1");
    if (info->http == 401)
        op_header(op, "WWW-Authenticate", "Bearer realm=\"ogpu\"");
}

enum op_next op_fail(struct op *op, enum err_code code, const char *fmt, ...)
{
    char detail[ERR_TEXT_MAX];
    va_list args;

    va_start(args, fmt);
    vsnprintf(detail, sizeof(detail), fmt, args);
    va_end(args);
    reply_problem(request_of(op), code, detail, NULL);
    return OP_REPLY;
}

enum op_next op_fail_list(struct op *op, enum err_code code, const struct violations *bad)
{
    reply_problem(request_of(op), code, "", bad);
    return OP_REPLY;
}

enum op_next op_fail_err(struct op *op)
{
    enum err_code code = op->err.code;

    /* The text of our own failures is for the log: it may name files, hosts, statements. */
    if (err_info(code)->blame == BLAME_CLIENT && code != E_OK && code != E_CONFIG) {
        char detail[ERR_TEXT_MAX];

        memcpy(detail, op->err.text, sizeof(detail));
        detail[sizeof(detail) - 1] = '\0';
        reply_problem(request_of(op), code, detail, NULL);
        return OP_REPLY;
    }
    log_warn("request_failed", "request_id=%s code=%s text=%s", op->request_id,
             err_info(code)->name, op->err.text);
    reply_problem(request_of(op), code, "", NULL);
    return OP_REPLY;
}

enum op_next op_fail_word(struct op *op, struct text word)
{
    enum err_code code = err_by_word(word.s ? word.s : "", word.n);

    if (code == E_INTERNAL || code == E_OK)
        log_error("unknown_outcome", "request_id=%s word=%.*s", op->request_id, (int)word.n,
                  word.s ? word.s : "");
    reply_problem(request_of(op), code, "", NULL);
    return OP_REPLY;
}

enum op_next op_json(struct op *op, int status, json_t *body_stolen)
{
    struct text body = json_text(body_stolen, op->arena);

    json_decref(body_stolen);
    set_body(request_of(op), status, body.s, body.n, JSON_TYPE);
    return OP_REPLY;
}

/* Whether If-None-Match names the tag: `*`, or a list of tags compared weakly (RFC 9110 13.1.2). */
static bool tag_matches(struct text header, const char *etag)
{
    struct text tag = text_of(etag);

    if (!header.s)
        return false;
    if (text_is(header, "*"))
        return true;
    for (size_t i = 0; i + tag.n <= header.n; i++) {
        if (memcmp(header.s + i, tag.s, tag.n) == 0)
            return true;
    }
    return false;
}

enum op_next op_tagged(struct op *op, int status, const void *p, size_t n, const char *type,
                       const char *tag)
{
    const char *etag = arena_printf(op->arena, "\"%s\"", tag);

    op_header(op, "ETag", etag);
    if (!header_of(request_of(op), "Cache-Control"))
        op_header(op, "Cache-Control", "private, no-cache");
    if (tag_matches(op->if_none_match, etag))
        return op_bytes(op, 304, p, n, NULL); /* its length is told, its bytes are not sent */
    return op_bytes(op, status, p, n, type);
}

enum op_next op_empty(struct op *op, int status)
{
    set_body(request_of(op), status, NULL, 0, NULL);
    return OP_REPLY;
}

enum op_next op_bytes(struct op *op, int status, const void *p, size_t n, const char *media_type)
{
    set_body(request_of(op), status, p, n, media_type);
    return OP_REPLY;
}

enum op_next op_file(struct op *op, int status, int fd_stolen, int64_t offset, int64_t len,
                     const char *media_type)
{
    struct request *req = request_of(op);

    set_body(req, status, NULL, 0, media_type);
    req->reply.fd = fd_stolen;
    req->reply.offset = offset;
    req->reply.len = len;
    return OP_REPLY;
}

static struct MHD_Response *make_response(struct reply *r)
{
    struct MHD_Response *response;

    if (r->fd < 0) /* the bytes live in the arena, which outlives the response */
        return MHD_create_response_from_buffer(r->n, (void *)(uintptr_t)r->body,
                                               MHD_RESPMEM_PERSISTENT);
    response =
        MHD_create_response_from_fd_at_offset64((uint64_t)r->len, r->fd, (uint64_t)r->offset);
    if (response)
        r->fd = -1; /* the response closes it */
    return response;
}

bool reply_headers(const struct request *req, reply_sink *sink, void *ctx)
{
    const struct reply *r = &req->reply;
    const char *cache = header_of(req, "Cache-Control");
    bool ok = sink(ctx, "X-Request-Id", req->op.request_id);

    for (const struct reply_header *h = r->headers; h; h = h->next)
        ok = ok && sink(ctx, h->name, h->value);
    if (r->media_type)
        ok = ok && sink(ctx, "Content-Type", r->media_type) &&
             sink(ctx, "X-Content-Type-Options", "nosniff");
    if (!cache)
        ok = ok && sink(ctx, "Cache-Control", "no-store");
    else if (strncmp(cache, "private", 7) == 0)
        ok = ok && sink(ctx, "Vary", "Authorization, X-API-Key");
    if (r->close)
        ok = ok && sink(ctx, "Connection", "close");
    return ok;
}

static bool add(void *response, const char *name, const char *value)
{
    return MHD_add_response_header(response, name, value) == MHD_YES;
}

enum MHD_Result reply_queue(struct request *req)
{
    struct server *s = req->server;
    struct reply *r = &req->reply;
    struct MHD_Response *response;
    enum MHD_Result result;

    if (s->drain != DRAIN_NO || reaper_is_last(&s->reaper, req->conn, clock_mono_us()))
        r->close = true;
    if (r->fd >= 0)
        reaper_progress(&s->reaper, req->conn, r->len + (int64_t)req->body_seen);
    response = make_response(r);
    if (!response)
        return MHD_NO;
    if (!reply_headers(req, add, response)) {
        /* A value no header can carry (a newline in it): a bug of ours, never half a head. */
        log_error("reply_header", "request_id=%s", req->op.request_id);
        MHD_destroy_response(response);
        return MHD_NO;
    }
    result = MHD_queue_response(req->mhd, (unsigned)r->status, response);
    MHD_destroy_response(response);
    req->stage = STAGE_SENT;
    return result;
}
