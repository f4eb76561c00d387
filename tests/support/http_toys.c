/* SPDX-License-Identifier: MIT */
#include "tests/support/http_toys.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/fields.h"
#include "lib/hash.h"
#include "lib/hex.h"
#include "server/app.h"
#include "server/loop.h"
#include "server/op.h"
#include "server/stream.h"
#include "server/system.h"

#define TOPIC 4711

/* Counted on the HTTP thread, but for the pool's. */
static struct {
    int rings;
    int answered;    /* waits that a ring ended */
    int undelivered; /* replies that could not be sent */
    int ended;       /* streams whose clean-up ran */
    int pieces;
    atomic_int pooled;
} seen;

struct in_ms {
    int64_t ms;
};

static const struct shape ms_shape = {.kind = SHAPE_INT, .min = 0, .max = 60000};
static const struct field ms_field[] = {
    {.name = "ms", .shape = &ms_shape, .has_fallback = true, .offset = 0, .has = FIELD_NONE},
};
static const struct fields ms_fields = {ms_field, 1};

/* ---- echo -------------------------------------------------------------------------------------
 */

static enum op_next echo(struct op *op)
{
    return op_json(op, 200, json_incref(op->body));
}

static enum op_next show(struct op *op)
{
    char fingerprint[65];

    hex_encode(op->fingerprint.b, sizeof(op->fingerprint.b), fingerprint);
    return op_json(op, 201,
                   json_pack("{s:s%, s:s, s:s%}", "key",
                             op->idempotency_key.s ? op->idempotency_key.s : "",
                             op->idempotency_key.n, "fingerprint", fingerprint, "path", op->path.s,
                             op->path.n));
}

static enum op_next empty(struct op *op)
{
    return op_empty(op, 204);
}

static enum op_next fail(struct op *op)
{
    return op_fail_word(op, text_of("task_not_found"));
}

static enum op_next busy(struct op *op)
{
    return op_fail(op, E_BUSY, "as you wished");
}

static enum op_next tagged(struct op *op)
{
    static const char body[] = "{\"version\":7}";

    return op_tagged(op, 200, body, sizeof(body) - 1, "application/json", "v7");
}

static enum op_next newline(struct op *op)
{
    op_header(op, "X-Bad", "a\r\nX-Evil: b");
    return op_empty(op, 204);
}

/* ---- waiting ----------------------------------------------------------------------------------
 */

struct waiting {
    int64_t until;
    int rings; /* when the wait began */
};

static enum op_next woke(struct op *op)
{
    const struct waiting *w = op->state;
    const uint64_t topic = TOPIC;

    if (seen.rings != w->rings) {
        seen.answered++;
        return op_json(op, 200, json_pack("{s:b}", "rung", 1));
    }
    if (op->woken_by_deadline)
        return op_empty(op, 204);
    return op_wait(op, &topic, 1, w->until, woke);
}

static enum op_next wait_for(struct op *op)
{
    const struct in_ms *in = op->in;
    const uint64_t topic = TOPIC;
    struct waiting *w = arena_alloc(op->arena, sizeof(*w));

    w->until = clock_mono_us() + in->ms * 1000;
    w->rings = seen.rings;
    op->state = w;
    return op_wait(op, &topic, 1, w->until, woke);
}

static enum op_next ring(struct op *op)
{
    seen.rings++;
    wait_ring(op->app->loop, TOPIC);
    return op_empty(op, 204);
}

/* ---- the pool ---------------------------------------------------------------------------------
 */

static void sleep_there(struct op *op)
{
    const struct in_ms *in = op->in;

    usleep((useconds_t)in->ms * 1000);
    atomic_fetch_add(&seen.pooled, 1);
}

static enum op_next slept(struct op *op)
{
    if (op->err.code != E_OK)
        return op_fail_err(op);
    return op_json(op, 200, json_pack("{s:b}", "slept", 1));
}

static enum op_next pool(struct op *op)
{
    return op_pool(op, sleep_there, slept);
}

static void undelivered(struct op *op)
{
    (void)op;
    seen.undelivered++;
}

/* ---- streams ----------------------------------------------------------------------------------
 */

struct upload {
    struct sha256_stream *hash;
    const void *piece;
    size_t n;
    uint64_t total;
};

static void upload_over(void *arg)
{
    struct upload *u = arg;

    seen.ended++;
    if (u->hash)
        sha256_end(u->hash);
}

static void hash_piece(struct op *op)
{
    struct upload *u = op->state;

    sha256_add(u->hash, u->piece, u->n);
    u->total += u->n;
}

static enum op_next more(struct op *op)
{
    return op->err.code == E_OK ? OP_MORE : op_fail_err(op);
}

static enum op_next stream_body(struct op *op, const void *chunk, size_t n)
{
    struct upload *u = op->state;
    char hex[65];
    struct digest d;

    if (chunk) {
        seen.pieces++;
        u->piece = chunk;
        u->n = n;
        return op_pool(op, hash_piece, more);
    }
    d = sha256_end(u->hash);
    u->hash = NULL;
    hex_encode(d.b, sizeof(d.b), hex);
    return op_json(op, 201, json_pack("{s:s, s:I}", "sha256", hex, "size", (json_int_t)u->total));
}

static enum op_next stream(struct op *op)
{
    struct upload *u = arena_alloc(op->arena, sizeof(*u));

    u->hash = sha256_begin();
    op->state = u;
    op_defer(op, upload_over, u);
    return OP_MORE;
}

static enum op_next stream_refused(struct op *op)
{
    return op->err.code == E_OK ? op_fail(op, E_QUOTA, "nothing fits") : op_fail_err(op);
}

static void nothing(struct op *op)
{
    (void)op;
}

/* Refuses after a round through the pool, before any of the body was read. */
static enum op_next stream_refuse(struct op *op)
{
    return op_pool(op, nothing, stream_refused);
}

/* ---- files and figures ------------------------------------------------------------------------
 */

static enum op_next file(struct op *op)
{
    FILE *f = tmpfile();
    int fd;

    if (!f)
        return op_fail(op, E_IO, "no temporary file");
    for (int i = 0; i < 300000; i++)
        fputc('a' + i % 26, f);
    fflush(f);
    fd = dup(fileno(f));
    fclose(f);
    op_header(op, "Content-Range", "bytes 26-200025/300000");
    return op_file(op, 206, fd, 26, 200000, "application/octet-stream");
}

static enum op_next counters(struct op *op)
{
    return op_json(op, 200,
                   json_pack("{s:i, s:i, s:i, s:i, s:i, s:i}", "rings", seen.rings, "answered",
                             seen.answered, "undelivered", seen.undelivered, "ended", seen.ended,
                             "pieces", seen.pieces, "pooled", atomic_load(&seen.pooled)));
}

static const struct op_def op_echo = {.parse = echo};
static const struct op_def op_show = {.parse = show};
static const struct op_def op_empty_reply = {.parse = empty};
static const struct op_def op_failing = {.parse = fail};
static const struct op_def op_busy = {.parse = busy};
static const struct op_def op_tagged_reply = {.parse = tagged};
static const struct op_def op_newline = {.parse = newline};
static const struct op_def op_wait_for = {.parse = wait_for};
static const struct op_def op_ring = {.parse = ring};
static const struct op_def op_pooled = {.parse = pool, .undelivered = undelivered};
static const struct op_def op_stream = {.parse = stream, .body = stream_body};
static const struct op_def op_stream_refuse = {.parse = stream_refuse, .body = stream_body};
static const struct op_def op_a_file = {.parse = file};
static const struct op_def op_counters = {.parse = counters};

#define TOY(m, p, o, ...)                                               \
    {                                                                   \
        .method = m, .path = p, .operation = p, .op = &(o), __VA_ARGS__ \
    }
#define MS .query_fields = &ms_fields, .in_size = sizeof(struct in_ms)

const struct route toy_routes[] = {
    TOY("POST", "/echo", op_echo, .body = ROUTE_BODY_JSON),
    TOY("GET", "/echo", op_counters, .quiet = true),
    TOY("POST", "/show", op_show, .body = ROUTE_BODY_JSON, .body_optional = true,
        .idempotent = true),
    TOY("POST", "/empty", op_empty_reply, .quiet = true),
    TOY("GET", "/fail", op_failing, .quiet = true),
    TOY("GET", "/busy", op_busy, .quiet = true),
    TOY("GET", "/tagged", op_tagged_reply, .quiet = true),
    TOY("GET", "/newline", op_newline, .quiet = true),
    TOY("GET", "/thing/{id}", op_counters, .quiet = true),
    TOY("DELETE", "/thing/{id}", op_empty_reply, .quiet = true),
    TOY("GET", "/wait", op_wait_for, MS),
    TOY("POST", "/ring", op_ring, .quiet = true),
    TOY("GET", "/pool", op_pooled, MS),
    TOY("PUT", "/stream", op_stream, .body = ROUTE_BODY_STREAM, .body_max = 64 << 20),
    TOY("PUT", "/refuse", op_stream_refuse, .body = ROUTE_BODY_STREAM),
    TOY("GET", "/file", op_a_file, .quiet = true),
    TOY("GET", "/counters", op_counters, .quiet = true),
    TOY("GET", "/key", op_counters, .auth = ROUTE_KEY, .scopes = 2),
    TOY("POST", "/key", op_show, .auth = ROUTE_KEY, .scopes = 2, .body = ROUTE_BODY_JSON),
    TOY("GET", "/provider", op_counters, .auth = ROUTE_PROVIDER),
    TOY("GET", "/", op_get_index, .quiet = true),
    TOY("GET", "/docs/{file}", op_get_docs, .quiet = true),
    TOY("GET", "/livez", op_get_livez, .quiet = true),
    TOY("GET", "/readyz", op_get_readyz, .quiet = true),
    TOY("GET", "/metrics", op_get_metrics, .quiet = true),
};
const size_t toy_route_count = sizeof(toy_routes) / sizeof(toy_routes[0]);
