/* SPDX-License-Identifier: MIT */
#include "server/begin.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/hash.h"
#include "server/escape.h"
#include "server/idempotency.h"
#include "server/reply.h"
#include "server/state.h"

#define JSON_MAX    65536
#define STREAM_MAX  ((size_t)1 << 30)
#define NO_BODY_MAX 1024 /* room for `{}` and blanks */
#define FIRST_ROOM  4096

size_t begin_body_max(const struct request *req)
{
    const struct route *route = req->op.route;

    if (!route || route->body == ROUTE_BODY_NONE)
        return NO_BODY_MAX;
    if (route->body_max > 0)
        return route->body_max;
    return route->body == ROUTE_BODY_JSON ? JSON_MAX : STREAM_MAX;
}

/* ---- the head ---------------------------------------------------------------------------------
 */

static enum err_code find_route(struct request *req, struct err *err)
{
    struct op *op = &req->op;
    enum err_code code =
        router_match(req->server->router, text_of(req->method), op->path, op->arena, &req->match);

    if (code == E_METHOD_NOT_ALLOWED)
        return err_set(err, code, "allowed here: %s", req->match.allow);
    if (code != E_OK)
        return err_set(err, code, "there is nothing at this path");
    op->route = req->match.route;
    return E_OK;
}

static bool is_json(struct text type)
{
    static const char json[] = "application/json";
    size_t n = sizeof(json) - 1;

    if (type.n < n || strncasecmp(type.s, json, n) != 0)
        return false;
    return type.n == n || type.s[n] == ';' || type.s[n] == ' ' || type.s[n] == '\t';
}

static enum err_code check_body_head(const struct request *req, struct err *err)
{
    const struct route *route = req->op.route;
    const struct guard *g = &req->guard;
    bool has_body = g->chunked || g->content_length > 0;

    if (has_body && strcmp(route->method, "GET") == 0)
        return err_set(err, E_BAD_REQUEST, "a GET request has no body");
    if (g->content_length > 0 && (uint64_t)g->content_length > begin_body_max(req))
        return err_set(err, E_TOO_LARGE, "the body may have %zu bytes", begin_body_max(req));
    if (has_body && route->body == ROUTE_BODY_JSON && !is_json(g->known[GUARD_CONTENT_TYPE]))
        return err_set(err, E_UNSUPPORTED_MEDIA, "send Content-Type: application/json");
    return E_OK;
}

static enum err_code check_head(struct request *req, struct err *err)
{
    struct op *op = &req->op;
    enum err_code code = find_route(req, err);

    if (code == E_OK)
        code = check_body_head(req, err);
    if (code == E_OK && op->route->idempotent)
        code = idempotency_key_read(req->guard.known[GUARD_IDEMPOTENCY_KEY], op->arena,
                                    &op->idempotency_key, err);
    if (code == E_OK)
        code = credential_read(&req->guard, op->route, &req->credential, err);
    return code;
}

void begin_head(struct request *req)
{
    struct op *op = &req->op;
    struct err err = {.code = E_OK};

    /* Header values live in the connection's memory, which is reused once the reply begins. */
    op->if_none_match = arena_text(op->arena, req->guard.known[GUARD_IF_NONE_MATCH]);
    op->range = arena_text(op->arena, req->guard.known[GUARD_RANGE]);
    if (check_head(req, &err) != E_OK)
        reply_problem(req, err.code, err.text, NULL);
    else
        op->idempotency_key = arena_text(op->arena, op->idempotency_key);
    if (err.code == E_METHOD_NOT_ALLOWED)
        op_header(op, "Allow", req->match.allow);
}

/* ---- the body ---------------------------------------------------------------------------------
 */

void begin_collect(struct request *req, const char *data, size_t n)
{
    size_t max = begin_body_max(req);

    if (n > max - req->body_n) {
        reply_problem(req, E_TOO_LARGE, "the body is longer than this operation allows", NULL);
        req->stage = STAGE_READY;
        return;
    }
    if (req->body_n + n > req->body_room) {
        size_t room = req->body_room ? req->body_room : FIRST_ROOM;

        while (room < req->body_n + n)
            room *= 2;
        req->body = realloc(req->body, room);
        if (!req->body)
            abort();
        req->body_room = room;
    }
    memcpy(req->body + req->body_n, data, n);
    req->body_n += n;
}

static bool is_blank(const struct request *req)
{
    for (size_t i = 0; i < req->body_n; i++) {
        if (!strchr(" \t\r\n", req->body[i]))
            return false;
    }
    return true;
}

/* An operation without a body takes none, or an empty object: clients that always send one exist.
 */
static enum err_code read_nothing(struct request *req, struct err *err)
{
    json_t *v;
    bool empty;

    if (is_blank(req))
        return E_OK;
    if (json_parse(req->body, req->body_n, &v, err) != E_OK)
        return err_set(err, E_BAD_REQUEST, "this operation takes no body");
    empty = json_is_object(v) && json_object_size(v) == 0;
    json_decref(v);
    return empty ? E_OK : err_set(err, E_BAD_REQUEST, "this operation takes no body");
}

static enum err_code read_body(struct request *req, struct err *err)
{
    const struct route *route = req->op.route;

    if (route->body == ROUTE_BODY_STREAM)
        return E_OK;
    if (route->body == ROUTE_BODY_NONE)
        return read_nothing(req, err);
    if (route->body_optional && is_blank(req)) {
        req->op.body = json_object();
        return E_OK;
    }
    return json_parse(req->body, req->body_n, &req->op.body, err);
}

/* ---- fields -----------------------------------------------------------------------------------
 */

static enum err_code read_fields(struct request *req, void *in, struct violations *bad,
                                 struct err *err)
{
    struct op *op = &req->op;
    const struct route *route = op->route;
    const struct field_pairs path = {FIELD_PATH, req->match.param, req->match.params};
    struct field_pair pairs[QUERY_PAIRS_MAX];
    size_t n;

    if (route->path_fields &&
        fields_pairs(route->path_fields, &path, op->arena, in, bad, NULL) != E_OK)
        return err_set(err, route->missing ? route->missing : E_NOT_FOUND,
                       "the id in the path is not one");
    if (escape_query(req->query, op->arena, pairs, &n, err) != E_OK)
        return err->code;
    if (route->query_fields) {
        const struct field_pairs query = {FIELD_QUERY, pairs, n};

        if (fields_pairs(route->query_fields, &query, op->arena, in, bad, err) != E_OK)
            err->code = E_VALIDATION;
    } else if (n > 0) {
        return err_set(err, E_VALIDATION, "this operation takes no query parameters");
    }
    if (route->body_fields && op->body &&
        fields_json(route->body_fields, op->body, op->arena, in, bad, err) != E_OK)
        err->code = E_VALIDATION;
    return bad->n > 0 ? E_VALIDATION : err->code;
}

/* Binds an Idempotency-Key to what was asked: another request with the same key is a mistake. */
static struct digest fingerprint(const struct request *req)
{
    struct sha256_stream *h = sha256_begin();

    sha256_add(h, req->method, strlen(req->method) + 1);
    sha256_add(h, req->op.path.s, req->op.path.n);
    sha256_add(h, "?", 1);
    if (req->query.n > 0)
        sha256_add(h, req->query.s, req->query.n);
    sha256_add(h, "", 1);
    if (req->body_n > 0)
        sha256_add(h, req->body, req->body_n);
    return sha256_end(h);
}

static enum op_next admitted(struct op *op)
{
    struct request *req = op->request;
    struct violations bad = {.n = 0};
    struct err err = {.code = E_OK};
    void *in = arena_alloc(op->arena, op->route->in_size + 1);
    enum err_code code = read_body(req, &err);

    if (code == E_OK)
        code = read_fields(req, in, &bad, &err);
    if (code != E_OK) {
        reply_problem(req, code, err.text, code == E_VALIDATION ? &bad : NULL);
        return OP_REPLY;
    }
    if (op->route->body != ROUTE_BODY_STREAM && strcmp(op->route->method, "GET") != 0)
        op->fingerprint = fingerprint(req);
    op->in = in;
    req->parsed = true;
    return op->route->op->parse(op);
}

enum op_next begin_step(struct op *op)
{
    return auth_step(op, admitted);
}
