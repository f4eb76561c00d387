/* SPDX-License-Identifier: MIT */
#include "workers/image/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BLOCK 65536
/* What may stand before an entry's data: names, attributes, the map of a sparse file, which the
 * reader builds a list of. Data of the entry before is none of it. */
#define HEAD_MAX (8 << 20)

struct stream {
    int fd;
    const char *what;
    struct stream_bounds *bounds;
    struct archive *raw; /* the file's bytes, unpacked */
    struct archive *tar; /* which reads those */
    bool begun;
    int64_t head;     /* bytes that may still come before the entry's data does */
    enum err_code rc; /* why we ended the reading; the archive's own faults are not here */
    const char *why;
    uint8_t in[BLOCK];
    uint8_t out[BLOCK];
};

/* To the library a fault like any other; failed() tells ours from its own. */
static la_ssize_t end_it(struct stream *s, struct archive *a, enum err_code rc, const char *why)
{
    s->rc = rc;
    s->why = why;
    archive_set_error(a, EIO, "%s", why);
    return -1;
}

static bool told_to_stop(const struct stream *s)
{
    return s->bounds->stop && s->bounds->stop(s->bounds->stop_ctx);
}

static enum err_code failed(const struct stream *s, struct err *err)
{
    if (s->rc != E_OK)
        return err_set(err, s->rc, "%s", s->why);
    const char *why = archive_error_string(s->tar);
    return err_set(err, E_BAD_MANIFEST, "%s is not a sound tar archive: %.100s", s->what,
                   why ? why : "it cannot be read");
}

/* As archive_read_callback: the file's own bytes. A packed file may hold much that unpacks to
 * nothing, so here too. */
static la_ssize_t read_file(struct archive *a, void *ctx, const void **p)
{
    struct stream *s = ctx;
    ssize_t n;
    *p = s->in;
    if (told_to_stop(s))
        return end_it(s, a, E_TIMEOUT, "stopped");
    do
        n = read(s->fd, s->in, sizeof(s->in));
    while (n < 0 && errno == EINTR);
    return n < 0 ? end_it(s, a, E_IO, "cannot read an image's archive") : n;
}

/* As archive_read_callback: what the tar reader sees, every byte of it. */
static la_ssize_t read_unpacked(struct archive *a, void *ctx, const void **p)
{
    struct stream *s = ctx;
    *p = s->out;
    if (told_to_stop(s))
        return end_it(s, a, E_TIMEOUT, "stopped");
    la_ssize_t n = archive_read_data(s->raw, s->out, sizeof(s->out));
    if (n < 0) {
        const char *why = archive_error_string(s->raw);
        archive_set_error(a, EIO, "%s", why ? why : "it cannot be unpacked");
        return -1;
    }
    s->bounds->bytes -= n;
    s->head -= n;
    if (s->bounds->bytes < 0)
        return end_it(s, a, E_TOO_LARGE, "image unpacks to too many bytes");
    if (s->head < 0)
        return end_it(s, a, E_BAD_MANIFEST, "layer entry has a header of too many bytes");
    return n;
}

/* Named by us, not looked for by the library: it would unpack what is packed twice, and between the
 * two nothing counts. */
static int filter_of(int fd)
{
    uint8_t b[4] = {0};
    ssize_t n = pread(fd, b, sizeof(b), 0);
    if (n >= 2 && b[0] == 0x1f && b[1] == 0x8b)
        return ARCHIVE_FILTER_GZIP;
    return n == 4 && memcmp(b, "\x28\xb5\x2f\xfd", 4) == 0 ? ARCHIVE_FILTER_ZSTD
                                                           : ARCHIVE_FILTER_NONE;
}

static bool open_raw(struct stream *s, bool packed)
{
    struct archive_entry *whole;
    s->raw = archive_read_new();
    return s->raw && lseek(s->fd, 0, SEEK_SET) == 0 &&
           archive_read_support_format_raw(s->raw) == ARCHIVE_OK &&
           archive_read_append_filter(s->raw, packed ? filter_of(s->fd) : ARCHIVE_FILTER_NONE) ==
               ARCHIVE_OK &&
           archive_read_open(s->raw, s, NULL, read_file, NULL) == ARCHIVE_OK &&
           archive_read_next_header(s->raw, &whole) == ARCHIVE_OK;
}

static bool open_tar(struct stream *s)
{
    s->tar = archive_read_new();
    return s->tar && archive_read_support_format_tar(s->tar) == ARCHIVE_OK &&
           archive_read_open(s->tar, s, NULL, read_unpacked, NULL) == ARCHIVE_OK;
}

enum err_code stream_open(int fd, const char *what, bool packed, struct stream_bounds *bounds,
                          struct stream **out, struct err *err)
{
    struct stream *s = calloc(1, sizeof(*s));
    if (!s)
        return err_set(err, E_INTERNAL, "no memory for an archive");
    s->fd = fd;
    s->what = what;
    s->bounds = bounds;
    s->head = HEAD_MAX;
    if (open_raw(s, packed) && open_tar(s)) {
        *out = s;
        return E_OK;
    }
    enum err_code rc = s->rc != E_OK ? err_set(err, s->rc, "%s", s->why)
                                     : err_set(err, E_BAD_MANIFEST, "%s cannot be read", what);
    stream_close(s);
    return rc;
}

/* Pass by what was not read: here, not in the library, so that it is not taken for the next head.
 */
static bool pass_by(struct stream *s)
{
    const void *p;
    size_t n;
    la_int64_t at;
    int got = ARCHIVE_OK;
    while (got == ARCHIVE_OK || got == ARCHIVE_WARN)
        got = archive_read_data_block(s->tar, &p, &n, &at);
    return got == ARCHIVE_EOF;
}

enum err_code stream_next(struct stream *s, struct archive_entry **e, struct err *err)
{
    if (s->begun && !pass_by(s))
        return failed(s, err);
    s->begun = true;
    s->head = HEAD_MAX;
    int got = archive_read_next_header(s->tar, e);
    s->head = INT64_MAX;
    if (got == ARCHIVE_OK || got == ARCHIVE_WARN)
        return E_OK;
    if (got != ARCHIVE_EOF)
        return failed(s, err);
    *e = NULL;
    return E_OK;
}

enum err_code stream_read(struct stream *s, void *p, size_t room, size_t *n, struct err *err)
{
    la_ssize_t got = archive_read_data(s->tar, p, room);
    if (got < 0)
        return failed(s, err);
    *n = (size_t)got;
    return E_OK;
}

void stream_close(struct stream *s)
{
    if (!s)
        return;
    if (s->tar)
        archive_read_free(s->tar);
    if (s->raw)
        archive_read_free(s->raw);
    free(s);
}
