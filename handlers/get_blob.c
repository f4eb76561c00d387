/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#include "api.h"
#include "handlers/common.h"
#include "handlers/range.h"
#include "lib/hex.h"
#include "server/app.h"
#include "server/blobs.h"
#include "server/stream.h"

#define MEDIA "application/octet-stream"

struct download {
    int fd; /* -1: none, or handed over */
    int64_t size;
};

static void drop(void *arg)
{
    struct download *d = arg;

    if (d->fd >= 0)
        close(d->fd);
    d->fd = -1;
}

/* Whether If-None-Match names this tag, quotes and all: a list of tags, weak or strong, or *. */
static bool has_it(struct text if_none_match, const char *etag)
{
    if (if_none_match.s == NULL)
        return false;
    if (text_is(if_none_match, "*"))
        return true;
    return memmem(if_none_match.s, if_none_match.n, etag, strlen(etag)) != NULL;
}

/* RFC 9530: of the whole representation it would be Repr-Digest; on a part Content-Digest would be
 * the part's, so it is sent with the whole only. */
static void add_digest(struct op *op, const struct digest *d)
{
    unsigned char base64[48];

    EVP_EncodeBlock(base64, d->b, sizeof(d->b));
    op_header(op, "Content-Digest", arena_printf(op->arena, "sha-256=:%s:", (char *)base64));
}

static enum op_next opened(struct op *op)
{
    const struct in_get_blob *in = op->in;
    struct download *d = op->state;
    struct range range;
    const char *etag;
    char hex[65];
    enum range_kind kind;
    int fd = d->fd;

    if (op->err.code != E_OK)
        return op_fail_err(op);
    hex_encode(in->sha256.b, sizeof(in->sha256.b), hex);
    etag = arena_printf(op->arena, "\"%s\"", hex);
    op_header(op, "ETag", etag);
    op_header(op, "Cache-Control", "private, no-cache");
    if (has_it(op->if_none_match, etag))
        return op_empty(op, 304);
    op_header(op, "Accept-Ranges", "bytes");
    kind = range_read(op->range, d->size, &range);
    if (kind == RANGE_BEYOND) {
        enum op_next next = op_fail(op, E_BAD_RANGE, "There are %" PRId64 " bytes.", d->size);

        op_header(op, "Content-Range", arena_printf(op->arena, "bytes */%" PRId64, d->size));
        return next;
    }
    d->fd = -1;
    if (kind == RANGE_WHOLE) {
        add_digest(op, &in->sha256);
        return op_file(op, 200, fd, 0, d->size, MEDIA);
    }
    op_header(op, "Content-Range",
              arena_printf(op->arena, "bytes %" PRId64 "-%" PRId64 "/%" PRId64, range.first,
                           range.first + range.length - 1, d->size));
    return op_file(op, 206, fd, range.first, range.length, MEDIA);
}

static void open_file(struct op *op)
{
    const struct in_get_blob *in = op->in;
    struct download *d = op->state;

    (void)!blob_open(op->app->blobs, &in->sha256, &d->fd, &d->size, &op->err);
}

static enum op_next allowed(struct op *op)
{
    if (!found(op, E_BLOB_NOT_FOUND))
        return OP_REPLY;
    return op_pool(op, open_file, opened);
}

static enum op_next parse(struct op *op)
{
    const struct in_get_blob *in = op->in;
    struct sql_blob_readable *call = arena_alloc(op->arena, sizeof(*call));
    struct download *d = arena_alloc(op->arena, sizeof(*d));

    d->fd = -1;
    op->state = d;
    op_defer(op, drop, d);
    call->digest = digest_bytes(op, in->sha256);
    if (op->who.kind == WHO_PROVIDER)
        call->provider = op->who.provider;
    else
        call->account = op->who.account;
    return op_call(op, SQL_BLOB_READABLE, call, key_of(op->who.provider), 0, allowed);
}

const struct op_def op_get_blob = {.parse = parse};
