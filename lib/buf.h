/* SPDX-License-Identifier: MIT */
#ifndef LIB_BUF_H
#define LIB_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/** A growing byte buffer with a hard cap. Zero-initialise, set cap, buf_done() at the end. */
struct buf {
    uint8_t *p;
    size_t n;
    size_t room;
    size_t cap; /**< hard limit in bytes; 0 means 64 MiB */
};

/** Free the bytes; the buffer may be used again. */
void buf_done(struct buf *b);

/** Append bytes. @return E_TOO_LARGE beyond the cap; nothing is appended then. */
MUST_CHECK enum err_code buf_add(struct buf *b, const void *p, size_t n, struct err *err);

/** Append formatted text (no NUL). @return E_TOO_LARGE beyond the cap. */
MUST_CHECK enum err_code buf_printf(struct buf *b, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
