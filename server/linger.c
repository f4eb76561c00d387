/* SPDX-License-Identifier: MIT */
#include "server/linger.h"

#include <sys/socket.h>
#include <time.h>

#include "lib/buf.h"
#include "lib/clock.h"
#include "server/reply.h"
#include "server/state.h"

#define HEAD_MAX 16384

static bool put_header(void *ctx, const char *name, const char *value)
{
    return strpbrk(value, "\r\n") == NULL &&
           buf_printf(ctx, NULL, "%s: %s\r\n", name, value) == E_OK;
}

/* RFC 9110, 5.6.7. */
static bool put_date(struct buf *out)
{
    time_t now = (time_t)(clock_wall_us() / 1000000);
    struct tm t;
    char text[40];

    gmtime_r(&now, &t);
    return strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &t) > 0 &&
           put_header(out, "Date", text);
}

static bool compose(struct request *req, struct buf *out)
{
    const struct reply *r = &req->reply;
    bool ok = buf_printf(out, NULL, "HTTP/1.1 %d %s\r\n", r->status,
                         MHD_get_reason_phrase_for((unsigned)r->status)) == E_OK &&
              put_date(out) && reply_headers(req, put_header, out) &&
              buf_printf(out, NULL, "Content-Length: %zu\r\n\r\n", r->n) == E_OK;

    if (ok && r->n > 0 && strcmp(req->method, "HEAD") != 0)
        ok = buf_add(out, r->body, r->n, NULL) == E_OK;
    return ok;
}

enum MHD_Result linger_begin(struct request *req)
{
    struct buf out = {.cap = HEAD_MAX + req->reply.n};
    ssize_t sent = -1;

    req->reply.close = true;
    /* Nothing of ours is under way on this connection: so little fits into its buffer at once. */
    if (req->reply.fd < 0 && compose(req, &out))
        sent = send(req->conn->fd, out.p, out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 || (size_t)sent != out.n) {
        buf_done(&out);
        return MHD_NO;
    }
    buf_done(&out);
    shutdown(req->conn->fd, SHUT_WR);
    req->stage = STAGE_SENT;
    req->lingers = true;
    reaper_linger(&req->server->reaper, req->conn, clock_mono_us());
    return MHD_YES;
}
