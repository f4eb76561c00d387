/* SPDX-License-Identifier: MIT */
#include "server/stream.h"

#include <stdlib.h>

#include "server/begin.h"
#include "server/reply.h"
#include "server/state.h"

struct stream {
    size_t n;
    char piece[STREAM_PIECE];
};

static enum op_next run_piece(struct op *op)
{
    struct stream *st = op->request->stream;
    size_t n = st->n;

    st->n = 0;
    return op->route->op->body(op, st->piece, n);
}

static enum op_next run_end(struct op *op)
{
    return op->route->op->body(op, NULL, 0);
}

static bool open_stream(struct request *req)
{
    struct server *s = req->server;

    if (req->stream)
        return true;
    if (s->streams >= s->config.streams_max)
        return false;
    req->stream = malloc(sizeof(*req->stream));
    if (!req->stream)
        return false;
    req->stream->n = 0;
    s->streams++;
    return true;
}

size_t stream_take(struct request *req, const char *data, size_t n)
{
    struct stream *st;
    size_t room;

    if (n > begin_body_max(req) - req->body_seen) {
        reply_problem(req, E_TOO_LARGE, "the body is longer than this operation allows", NULL);
        return n;
    }
    if (!open_stream(req)) {
        reply_problem(req, E_BUSY, "too many uploads at once", NULL);
        return n; /* from now on the body is thrown away */
    }
    st = req->stream;
    room = STREAM_PIECE - st->n;
    if (n > room)
        n = room;
    memcpy(st->piece + st->n, data, n);
    st->n += n;
    if (st->n == STREAM_PIECE)
        request_step(req, run_piece);
    return n;
}

void stream_end(struct request *req)
{
    struct stream *st = req->stream;

    if (st && st->n > 0) {
        request_step(req, run_piece);
        return;
    }
    if (req->body_ended) { /* a step of the end asked for more: there is none */
        reply_problem(req, E_INTERNAL, "", NULL);
        req->stage = STAGE_READY;
        return;
    }
    req->body_ended = true;
    request_step(req, run_end);
}

void stream_free(struct request *req)
{
    if (!req->stream)
        return;
    free(req->stream);
    req->stream = NULL;
    req->server->streams--;
}
