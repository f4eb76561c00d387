/* SPDX-License-Identifier: MIT */
#include "workers/image/blobs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/hash.h"
#include "lib/hex.h"
#include "workers/contain/json_shape.h"
#include "workers/image/stream.h"

#define PREFIX              "blobs/sha256/"
#define JSON_MAX            (1 << 20)
#define JSON_VALUES_MAX     16384 /* a value takes some 200 bytes at most once it is built */
#define BLOCK               65536
#define ARCHIVE_ENTRIES_MAX 1024

static bool is_hex(const char *s)
{
    for (size_t i = 0; i < 64; i++) {
        if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
            return false;
    }
    return s[64] == '\0';
}

bool blobs_digest_ok(const char *digest)
{
    return digest && strncmp(digest, "sha256:", 7) == 0 && strlen(digest) == 71 &&
           is_hex(digest + 7);
}

enum err_code blobs_hash(int fd, char hex[65], int64_t *size, struct err *err)
{
    uint8_t bytes[BLOCK];
    struct sha256_stream *h = sha256_begin();
    off_t at = 0;
    ssize_t n;
    while ((n = pread(fd, bytes, sizeof(bytes), at)) > 0) {
        sha256_add(h, bytes, (size_t)n);
        at += n;
    }
    struct digest d = sha256_end(h);
    if (n < 0)
        return err_set(err, E_IO, "cannot read back a file: %s", strerror(errno));
    hex_encode(d.b, sizeof(d.b), hex);
    *size = at;
    return E_OK;
}

enum err_code blobs_open(int dir, const char *digest, int *out, struct err *err)
{
    if (!blobs_digest_ok(digest))
        return err_set(err, E_BAD_MANIFEST,
                       "image names a blob by something that is no sha256 digest");
    int fd = openat(dir, digest + 7, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, E_BAD_MANIFEST, "image lacks blob %s", digest);
    *out = fd;
    return E_OK;
}

enum err_code blobs_json(int dir, const char *digest, json_t **out, struct err *err)
{
    int fd = -1;
    enum err_code rc = blobs_open(dir, digest, &fd, err);
    if (rc != E_OK)
        return rc;
    struct stat st;
    json_error_t why = {.text = ""};
    json_t *v = NULL;
    char *text = NULL;
    if (fstat(fd, &st) != 0 || st.st_size > JSON_MAX) {
        rc = err_set(err, E_TOO_LARGE, "image document %s is too large", digest);
    } else {
        size_t n = (size_t)st.st_size;
        text = malloc(n + 1);
        char hex[65] = "";
        if (!text || pread(fd, text, n, 0) != (ssize_t)n) {
            rc = err_set(err, E_IO, "cannot read back %s", digest);
        } else {
            struct digest d = sha256(text, n);
            hex_encode(d.b, sizeof(d.b), hex);
            if (strcmp(hex, digest + 7) != 0)
                rc =
                    err_set(err, E_DIGEST_MISMATCH, "image document has not the digest %s", digest);
            else if (!json_shape_is_small_object(text, n, JSON_VALUES_MAX))
                rc = err_set(err, E_BAD_MANIFEST,
                             "image document %.20s… is no JSON object, or one of too many values",
                             digest);
            else if (!(v = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why)))
                rc = err_set(err, E_BAD_MANIFEST, "image document %.20s… is not JSON: %s", digest,
                             why.text);
        }
    }
    free(text);
    close(fd);
    if (rc == E_OK)
        *out = v;
    return rc;
}

/* ---- archives ---- */

/* Copy one entry's bytes into a file while hashing them. */
static enum err_code copy_entry(struct stream *a, int fd, char hex[65], struct err *err)
{
    uint8_t bytes[BLOCK];
    struct sha256_stream *h = sha256_begin();
    enum err_code rc;
    size_t n = 0;
    while ((rc = stream_read(a, bytes, sizeof(bytes), &n, err)) == E_OK && n > 0) {
        if (write(fd, bytes, n) != (ssize_t)n) {
            rc = err_set(err, E_IO, "cannot store an image blob: %s", strerror(errno));
            break;
        }
        sha256_add(h, bytes, n);
    }
    struct digest d = sha256_end(h);
    hex_encode(d.b, sizeof(d.b), hex);
    return rc;
}

static enum err_code store_entry(int dir, struct stream *a, const char *name, struct err *err)
{
    char hex[65];
    int fd = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, E_BAD_MANIFEST, "image archive holds blob %.16s… twice", name);
    enum err_code rc = copy_entry(a, fd, hex, err);
    close(fd);
    if (rc == E_OK && strcmp(hex, name) != 0)
        rc = err_set(err, E_DIGEST_MISMATCH, "image blob %.16s… has not that digest", name);
    if (rc != E_OK)
        unlinkat(dir, name, 0);
    return rc;
}

static const char *blob_name(struct archive_entry *e)
{
    const char *path = archive_entry_pathname(e);
    if (!path || archive_entry_filetype(e) != AE_IFREG || archive_entry_hardlink(e))
        return NULL;
    if (strncmp(path, "./", 2) == 0)
        path += 2;
    if (strncmp(path, PREFIX, strlen(PREFIX)) != 0 || strlen(path) != strlen(PREFIX) + 64)
        return NULL;
    return is_hex(path + strlen(PREFIX)) ? path + strlen(PREFIX) : NULL;
}

enum err_code blobs_from_archive(int dir, int fd, const struct image_want *want,
                                 const struct image_limits *limits, struct err *err)
{
    struct stream *a = NULL;
    struct stream_bounds bounds = {limits->packed_bytes, want->stop, want->stop_ctx};
    enum err_code rc = stream_open(fd, "image archive", false, &bounds, &a, err);
    int64_t entries = ARCHIVE_ENTRIES_MAX;
    struct archive_entry *e;
    while (rc == E_OK && (rc = stream_next(a, &e, err)) == E_OK && e) {
        if (--entries < 0)
            rc = err_set(err, E_TOO_LARGE, "image archive has too many entries");
        else if (blob_name(e))
            rc = store_entry(dir, a, blob_name(e), err);
    }
    stream_close(a);
    return rc;
}
