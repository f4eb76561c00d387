/* SPDX-License-Identifier: MIT */
#ifndef SERVER_BLOBS_H
#define SERVER_BLOBS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/bytes.h"
#include "lib/err.h"

/*
 * Bytes by their SHA-256, as files dir/aa/<64 hex>. Who may read or write which digest is
 * decided by rows; nothing here knows it. Every function may block: call them on the pool or in
 * threads of one's own. Several gateways may share the folder.
 */
struct blobs;

/**
 * Make the folder when it is not there, and remove what a crash left in its tmp/ a day ago or more.
 *
 * @return E_CONFIG when the folder cannot be made or written
 */
MUST_CHECK enum err_code blobs_open(const char *dir, struct blobs **out, struct err *err);
void blobs_close(struct blobs *b);

/** One upload: a file in tmp/ and its running digest. */
struct blob_writer;

/** Begin. @return E_IO; E_BUSY when the disk is full */
MUST_CHECK enum err_code blob_begin(struct blobs *b, struct blob_writer **out, struct err *err);

/** Append. @return E_IO, E_BUSY; the writer must then be dropped */
MUST_CHECK enum err_code blob_write(struct blob_writer *w, const void *p, size_t n,
                                    struct err *err);

/** Bytes written so far. */
int64_t blob_written(const struct blob_writer *w);

/**
 * Make the bytes durable under their digest; ends the writer on success and failure alike. Bytes
 * that are there already stay as they are.
 *
 * @want   the digest the caller claims; NULL: any
 * @got    the digest of the bytes; NULL allowed
 * @return E_DIGEST_MISMATCH, E_IO, E_BUSY
 */
MUST_CHECK enum err_code blob_commit(struct blob_writer *w, const struct digest *want,
                                     struct digest *got, struct err *err);

/** Give up; NULL allowed. */
void blob_drop(struct blob_writer *w);

/**
 * Open for reading.
 *
 * @fd     the caller closes it (or hands it to op_file())
 * @size   bytes; NULL allowed
 * @return E_BLOB_NOT_FOUND, E_IO
 */
MUST_CHECK enum err_code blob_open(struct blobs *b, const struct digest *d, int *fd, int64_t *size,
                                   struct err *err);

/**
 * Remove, unless the bytes were (again) uploaded less than `age_s` seconds ago: an upload and its
 * row are two steps.
 *
 * @return E_OK also when it is not there or too young; E_IO
 */
MUST_CHECK enum err_code blob_remove(struct blobs *b, const struct digest *d, int64_t age_s,
                                     struct err *err);

#endif
