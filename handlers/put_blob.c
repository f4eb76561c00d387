/* SPDX-License-Identifier: MIT */
#include <inttypes.h>

#include "api.h"
#include "handlers/common.h"
#include "lib/hash.h"
#include "lib/hex.h"
#include "server/app.h"
#include "server/blobs.h"
#include "server/stream.h"

struct upload {
    struct blob_writer *writer; /* NULL before the first bytes, and once ended */
    const void *piece;
    size_t n;
    int64_t room; /* bytes that the owner's quota still takes */
    int64_t taken;
    struct sql_blob_room ask;
    struct sql_blob_put call;
};

/* Whatever the end of the request: a writer that was not committed is dropped. */
static void drop(void *arg)
{
    struct upload *u = arg;

    blob_drop(u->writer);
    u->writer = NULL;
}

static enum op_next answer(struct op *op)
{
    const struct in_put_blob *in = op->in;
    const struct upload *u = op->state;
    const struct sql_blob_put_row *row = op->rows;
    char hex[65];
    struct json_out *o = json_out_new(op->arena);

    if (!written(op, op->n_rows ? row->outcome : text_of(NULL), false))
        return OP_REPLY;
    hex_encode(in->sha256.b, sizeof(in->sha256.b), hex);
    put_open(o, NULL, '{');
    put_string(o, "sha256", hex);
    put_int(o, "size", u->call.size);
    put_close(o, '}');
    if (!row->created)
        return reply(op, 200, o);
    return reply_created(op, o, arena_printf(op->arena, "/v1/blobs/%s", hex), NULL);
}

static enum op_next committed(struct op *op)
{
    const struct in_put_blob *in = op->in;
    struct upload *u = op->state;

    if (op->err.code != E_OK)
        return op_fail_err(op);
    /* One call an owner and batch: the quota counts what the owner holds. */
    return op_call(op, SQL_BLOB_PUT, &u->call, hash64(in->sha256.b, sizeof(in->sha256.b)),
                   hash64(u->call.owner.s, u->call.owner.n), answer);
}

static void write_piece(struct op *op)
{
    struct upload *u = op->state;

    if (u->writer == NULL && blob_begin(op->app->blobs, &u->writer, &op->err) != E_OK)
        return;
    (void)!blob_write(u->writer, u->piece, u->n, &op->err);
}

/* An empty blob has a writer too. */
static void commit(struct op *op)
{
    const struct in_put_blob *in = op->in;
    struct upload *u = op->state;
    struct blob_writer *w;

    if (u->writer == NULL && blob_begin(op->app->blobs, &u->writer, &op->err) != E_OK)
        return;
    w = u->writer;
    u->writer = NULL;
    u->call.size = blob_written(w);
    (void)!blob_commit(w, &in->sha256, NULL, &op->err);
}

static enum op_next more(struct op *op)
{
    return op->err.code != E_OK ? op_fail_err(op) : OP_MORE;
}

static enum op_next no_room(struct op *op, const struct upload *u)
{
    return op_fail(op, E_QUOTA, "The quota has %" PRId64 " bytes left.", u->room);
}

static enum op_next body(struct op *op, const void *chunk, size_t n)
{
    struct upload *u = op->state;

    /* Chunks tell no length: what is too much is found out here, before it is stored. */
    u->taken += (int64_t)n;
    if (u->taken > u->room)
        return no_room(op, u);
    u->piece = chunk;
    u->n = n;
    return n > 0 ? op_pool(op, write_piece, more) : op_pool(op, commit, committed);
}

/* Before a byte is read: more than fits is refused. Two uploads at once may both fit by this
 * figure; blob_put decides. */
static enum op_next room_known(struct op *op)
{
    const struct sql_blob_room_row *row = op->rows;
    struct upload *u = op->state;

    if (!found(op, E_INTERNAL))
        return OP_REPLY;
    u->room = row->room;
    return op_content_length(op) > u->room ? no_room(op, u) : OP_MORE;
}

static enum op_next ask_room(struct op *op)
{
    struct upload *u = op->state;

    u->ask = (struct sql_blob_room){.digest = u->call.digest,
                                    .kind = u->call.kind,
                                    .owner = u->call.owner,
                                    .quota = u->call.quota};
    return op_call(op, SQL_BLOB_ROOM, &u->ask, hash64(u->call.owner.s, u->call.owner.n), 0,
                   room_known);
}

/* Before a byte is read: an attempt that is not the caller's, or over, takes none. */
static enum op_next attempt_known(struct op *op)
{
    const struct sql_attempt_get_row *row = op->rows;

    if (!found(op, E_ATTEMPT_NOT_FOUND))
        return OP_REPLY;
    if (!text_is(row->state, "live"))
        return op_fail(op, E_LEASE_LOST, "The attempt is %.*s.", (int)row->state.n, row->state.s);
    return ask_room(op);
}

static enum op_next parse(struct op *op)
{
    const struct in_put_blob *in = op->in;
    struct upload *u = arena_alloc(op->arena, sizeof(*u));
    struct sql_attempt_get *get;
    bool provider = op->who.kind == WHO_PROVIDER;

    if (provider != in->has_attempt)
        return op_fail(op, E_VALIDATION,
                       provider ? "/attempt: is required with a provider token"
                                : "/attempt: is not for an API key");
    op->state = u;
    op_defer(op, drop, u);
    u->call.digest = digest_bytes(op, in->sha256);
    u->call.quota = op->app->blob_quota_bytes;
    if (!provider) {
        u->call.kind = text_of("account");
        u->call.owner = text_of(arena_printf(op->arena, "%" PRId64, op->who.account));
        return ask_room(op);
    }
    u->call.kind = text_of("attempt");
    u->call.owner = text_of(uuid_text(op, in->attempt));
    u->call.provider = op->who.provider;
    get = arena_alloc(op->arena, sizeof(*get));
    *get = (struct sql_attempt_get){.attempt = in->attempt, .provider = op->who.provider};
    return op_call(op, SQL_ATTEMPT_GET, get, key_of(in->attempt), 0, attempt_known);
}

const struct op_def op_put_blob = {.parse = parse, .body = body};
