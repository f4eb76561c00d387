/* SPDX-License-Identifier: MIT */
#include "lib/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_CAP ((size_t)64 << 20)
#define FIRST_ROOM  ((size_t)256)

void buf_done(struct buf *b)
{
    free(b->p);
    b->p = NULL;
    b->n = 0;
    b->room = 0;
}

/* Make room for n more bytes and the NUL that buf_printf() writes behind the end. */
static enum err_code grow(struct buf *b, size_t n, struct err *err)
{
    size_t cap = b->cap ? b->cap : DEFAULT_CAP;
    size_t room = b->room ? b->room : FIRST_ROOM;
    uint8_t *p;

    if (n > cap || b->n > cap - n)
        return err_set(err, E_TOO_LARGE, "more than %zu bytes", cap);
    if (b->n + n < b->room)
        return E_OK;
    while (room <= b->n + n)
        room *= 2;
    p = realloc(b->p, room);
    if (!p)
        abort();
    b->p = p;
    b->room = room;
    return E_OK;
}

enum err_code buf_add(struct buf *b, const void *p, size_t n, struct err *err)
{
    enum err_code rc = grow(b, n, err);

    if (rc != E_OK)
        return rc;
    if (n > 0)
        memcpy(b->p + b->n, p, n);
    b->n += n;
    return E_OK;
}

enum err_code buf_printf(struct buf *b, struct err *err, const char *fmt, ...)
{
    va_list args;
    enum err_code rc;
    int n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0)
        return err_set(err, E_INTERNAL, "the format cannot be printed");
    rc = grow(b, (size_t)n, err);
    if (rc != E_OK)
        return rc;
    va_start(args, fmt);
    vsnprintf((char *)b->p + b->n, (size_t)n + 1, fmt, args);
    va_end(args);
    b->n += (size_t)n;
    return E_OK;
}
