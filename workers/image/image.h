/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_IMAGE_IMAGE_H
#define WORKERS_IMAGE_IMAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/err.h"
#include "lib/http.h"

/*
 * OCI images, by the digest of their manifest and by nothing else. Every byte is hashed by us
 * before it is used; what is unpacked lies in a cache, one folder per digest, complete or absent.
 */

#define IMAGE_PATH_MAX 512

/** What an image may cost. */
struct image_limits {
    int64_t packed_bytes;   /**< archive, or all blobs together */
    int64_t unpacked_bytes; /**< all files of all layers */
    int64_t entries;        /**< tar entries of all layers */
    int64_t cache_bytes;    /**< disk budget of the cache; 0: none */
    int64_t free_bytes; /**< what the disk must have left for the cache to keep what is unused */
    int64_t pull_s;     /**< seconds that a registry may take for an image; 0: an hour */
    int64_t slow_s;     /**< seconds that it may be too slow in a row (16 KiB/s); 0: a minute */
};

/** The cache and its rules. */
struct image_store {
    char dir[IMAGE_PATH_MAX]; /**< absolute; ours alone */
    struct image_limits limits;
};

/** Where an image may come from; at least one of the two places. */
struct image_want {
    const char *digest;    /**< "sha256:" and 64 hex digits: the image manifest */
    const char *reference; /**< "registry/name@sha256:…", or NULL */
    const char *blob;      /**< SHA-256 of an OCI archive, 64 hex digits, or NULL */
    /** Write the bytes of blob `sha256` to `fd`; they are hashed afterwards. NULL without `blob`.
     */
    enum err_code (*fetch)(void *ctx, const char *sha256, int fd, int64_t max, struct err *err);
    void *fetch_ctx;
    struct http_client *http; /**< for `reference` */
    bool public_only;         /**< take nothing from this machine or its networks */
    /** True ends it: a download, unpacking, waiting for who makes the same one. NULL for never. */
    bool (*stop)(void *ctx);
    void *stop_ctx;
    /**
     * Told while the image is not in the cache: bytes fetched so far, of so many in all (0: not
     * known). NULL: nobody listens.
     */
    void (*progress)(void *ctx, int64_t fetched, int64_t of);
    void *progress_ctx;
};

#define IMAGE_WORDS_MAX 64

/** An unpacked image. Texts live in the arena. */
struct image {
    char rootfs[IMAGE_PATH_MAX];
    int hold;                          /**< keeps it in the cache; image_release() lets go */
    const char *args[IMAGE_WORDS_MAX]; /**< entrypoint, then command */
    size_t arg_count;
    size_t entry_count; /**< how many of them are the entrypoint's */
    const char *env[IMAGE_WORDS_MAX];
    size_t env_count;
    const char *cwd;
    uint32_t uid; /**< numeric user of the image, or 1000 when it has none or asks for root */
    uint32_t gid;
};

/** Prepare the cache folder; throw away what a killed worker left half done. @return E_IO. */
MUST_CHECK enum err_code image_store_open(struct image_store *st, const char *dir,
                                          const struct image_limits *limits, struct err *err);

/**
 * The image from the cache, or fetched, checked, unpacked and cached. Several threads may ask for
 * the same one.
 *
 * @return E_DIGEST_MISMATCH (tampered), E_BAD_MANIFEST (not an image we run), E_TOO_LARGE (limits),
 * E_PEER, E_TIMEOUT, E_BLOB_NOT_FOUND, E_IO
 */
MUST_CHECK enum err_code image_get(const struct image_store *st, const struct image_want *want,
                                   struct image *out, struct arena *arena, struct err *err);

/** The caller does not look at the image any more (a supervisor that runs it holds it itself). Once
 * for each image_get() that succeeded. */
void image_release(struct image *img);

/**
 * Make sure that a folder is there to mount on, in an unpacked image.
 *
 * @place  absolute; no part of it may be a link: it would lead the mount elsewhere
 * @return E_BAD_MANIFEST
 */
MUST_CHECK enum err_code image_place(const char *rootfs, const char *place, struct err *err);

#endif
