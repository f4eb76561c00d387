/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_IMAGE_BLOBS_H
#define WORKERS_IMAGE_BLOBS_H

#include <jansson.h>
#include <stdint.h>

#include "lib/err.h"
#include "workers/image/image.h"

/** A folder of blobs named by their hex digest; only bytes that were hashed get such a name. */

/** Whether this is "sha256:" and 64 lower-case hex digits. */
bool blobs_digest_ok(const char *digest);

/** Hash an open file from its start. @return E_IO. */
MUST_CHECK enum err_code blobs_hash(int fd, char hex[65], int64_t *size, struct err *err);

/** Open `<dir>/<hex>` for reading. @return E_BAD_MANIFEST when the image does not hold it. */
MUST_CHECK enum err_code blobs_open(int dir, const char *digest, int *out, struct err *err);

/** A JSON blob, hashed again while it is read; a new reference. @return E_DIGEST_MISMATCH,
 * E_BAD_MANIFEST, E_TOO_LARGE. */
MUST_CHECK enum err_code blobs_json(int dir, const char *digest, json_t **out, struct err *err);

/**
 * Take an OCI archive (a tar of an image layout) apart: every `blobs/sha256/<hex>` is stored, if
 * its bytes have that digest. Nothing else of the archive is looked at: neither names nor
 * index.json decide anything.
 *
 * @fd      the archive
 * @want    may end it (`stop`)
 * @return  E_DIGEST_MISMATCH, E_BAD_MANIFEST (not a tar), E_TOO_LARGE, E_TIMEOUT (told to stop)
 */
MUST_CHECK enum err_code blobs_from_archive(int dir, int fd, const struct image_want *want,
                                            const struct image_limits *limits, struct err *err);

/**
 * Fetch the manifest, its configuration and its layers from a registry (OCI distribution 1.1;
 * anonymous, or with a bearer token that the registry's own service gives out).
 *
 * @return E_PEER, E_TIMEOUT, E_DIGEST_MISMATCH, E_BAD_MANIFEST, E_TOO_LARGE
 */
MUST_CHECK enum err_code blobs_from_registry(int dir, const struct image_want *want,
                                             const struct image_limits *limits, struct err *err);

#endif
