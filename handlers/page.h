/* SPDX-License-Identifier: MIT */
#ifndef HANDLERS_PAGE_H
#define HANDLERS_PAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "handlers/json_out.h"
#include "lib/bytes.h"
#include "server/op.h"

/*
 * Lists by key: a cursor is the last row's key and a checksum over it and the operation, in
 * base64url. Opaque to clients, valid for the list that gave it; no secret.
 */

#define CURSOR_KEY_MAX 24
#define CURSOR_MAX     48

/** Cursor text and a NUL into `out` (CURSOR_MAX bytes). @key 1..CURSOR_KEY_MAX bytes */
void cursor_format(const char *operation, const void *key, size_t n, char *out);

/** Read a cursor of this operation whose key has exactly `n` bytes. @return false for any other. */
bool cursor_parse(const char *operation, struct text cursor, void *key, size_t n);

/**
 * The key a page starts behind.
 *
 * @cursor  no value: the first page; `key` is then all zero
 * @return  false: the answer (BAD_CURSOR) is set
 */
bool page_begin(struct op *op, bool has_cursor, struct text cursor, void *key, size_t n);

/** Begin a page {data: […; the rows follow, with NULL for their names. */
struct json_out *page_open(struct op *op);

/**
 * End and answer a page {data, has_more, next_cursor} with its Link header.
 *
 * @more   whether there are rows behind it
 * @key    of the last row; `n` bytes
 * @query  other parameters to repeat in the link, e.g. "status=queued&limit=20"
 */
enum op_next page_end(struct op *op, struct json_out *o, bool more, const void *key, size_t n,
                      const char *query);

/** Where the next page begins: as the last parameters of page_end(). */
struct page_next {
    const void *key;
    size_t n;
    const char *query;
};

/** The same for a page that does not change: with an ETag, and 304 when If-None-Match names it. */
enum op_next page_end_tagged(struct op *op, struct json_out *o, bool more,
                             const struct page_next *next);

#endif
