/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_IMAGE_STREAM_H
#define WORKERS_IMAGE_STREAM_H

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

/*
 * A tar archive of nobody we trust, plain or packed (gzip, zstd; once, not packed again). Every
 * byte that comes out of unpacking is counted before anything looks at it: those of entries that
 * are skipped, of padding and of headers too. A packed terabyte that nobody wants is refused like
 * one that is written.
 */

/** How far readers may go, together: one of these for all layers of an image. */
struct stream_bounds {
    int64_t bytes;           /**< what may still come out of unpacking */
    bool (*stop)(void *ctx); /**< asked about every 64 KiB; true ends the reading. NULL: never */
    void *stop_ctx;
};

struct stream;

/**
 * Begin to read.
 *
 * @fd      read from its start; stays the caller's, and open until stream_close()
 * @what    "layer": begins the sentence when the archive is not sound; static
 * @packed  whether it may be packed; one that is and may not be is not sound
 * @bounds  counted down while the stream is read; outlives it
 * @return  E_BAD_MANIFEST; E_TIMEOUT when told to stop
 */
MUST_CHECK enum err_code stream_open(int fd, const char *what, bool packed,
                                     struct stream_bounds *bounds, struct stream **out,
                                     struct err *err);

/**
 * The next entry; what was not read of the one before is passed by, and counted.
 *
 * @e       valid until the next call; NULL at the end
 * @return  E_BAD_MANIFEST (not sound, a header of more than 8 MiB), E_TOO_LARGE (beyond the
 * bounds), E_TIMEOUT (told to stop)
 */
MUST_CHECK enum err_code stream_next(struct stream *s, struct archive_entry **e, struct err *err);

/**
 * Bytes of the entry in hand.
 *
 * @p, @room  where they go
 * @n         how many came; 0 at the entry's end
 * @return    as stream_next()
 */
MUST_CHECK enum err_code stream_read(struct stream *s, void *p, size_t room, size_t *n,
                                     struct err *err);

/** End and free; NULL allowed. */
void stream_close(struct stream *s);

#endif
