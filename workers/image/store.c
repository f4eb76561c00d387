/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/hex.h"
#include "lib/log.h"
#include "workers/image/blobs.h"
#include "workers/image/evict.h"
#include "workers/image/image.h"
#include "workers/image/inside.h"
#include "workers/image/document.h"
#include "workers/image/unpack.h"

/*
 * <dir>/images/<hex>/rootfs, config.json   complete images (the folder appears by rename)
 * <dir>/locks/<hex>                        held for moments: while one comes, is found or goes
 * <dir>/tmp/<place>/                       one being made; only who holds <dir>/locks/<place> may
 */

static enum err_code make_dir(const char *base, const char *name, struct err *err)
{
    char path[IMAGE_PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s%s", base, name);
    /* 0755: container root, an ordinary user here, has to walk through */
    if (mkdir(path, 0755) != 0 && errno != EEXIST)
        return err_set(err, E_IO, "cannot make %.120s: %s", path, strerror(errno));
    return E_OK;
}

enum err_code image_store_open(struct image_store *st, const char *dir,
                               const struct image_limits *limits, struct err *err)
{
    static const char *const parts[] = {"", "/images", "/locks", "/tmp"};
    if (strlen(dir) > IMAGE_PATH_MAX - 128)
        return err_set(err, E_CONFIG, "the image cache's path is too long");
    snprintf(st->dir, sizeof(st->dir), "%s", dir);
    st->limits = *limits;
    enum err_code rc = E_OK;
    for (size_t i = 0; rc == E_OK && i < ARRAY_LEN(parts); i++)
        rc = make_dir(dir, parts[i], err);
    if (rc != E_OK)
        return rc;
    char tmp[IMAGE_PATH_MAX + 16];
    snprintf(tmp, sizeof(tmp), "%s/tmp", dir);
    int fd = open(tmp, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || !inside_empty(fd))
        log_warn("image_leftover", "dir=%s", tmp);
    if (fd >= 0)
        close(fd);
    (void)evict_trim(st, ""); /* the budget may be smaller than it was */
    return E_OK;
}

/*
 * An image and where it is to come from, as a name. A registry that names an image of somebody else
 * and is slow to send it keeps those waiting who asked the same registry, and nobody else.
 */
static void place_of(const struct image_want *want, char hex[65])
{
    const char *from = want->blob ? want->blob : want->reference;
    struct sha256_stream *h = sha256_begin();
    sha256_add(h, want->digest, strlen(want->digest));
    sha256_add(h, from, strlen(from));
    struct digest d = sha256_end(h);
    hex_encode(d.b, sizeof(d.b), hex);
}

/* A half-made image of an earlier try goes; then a fresh folder with rootfs/ and blobs/. */
static enum err_code fresh(const char *dir, const char *hex, int *out, struct err *err)
{
    char path[IMAGE_PATH_MAX + 16];
    snprintf(path, sizeof(path), "%.480s/tmp", dir);
    int tmp = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = -1;
    if (tmp >= 0 && (unpack_remove(tmp, hex) || errno == ENOENT) && mkdirat(tmp, hex, 0755) == 0)
        fd = openat(tmp, hex, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (tmp >= 0)
        close(tmp);
    if (fd < 0 || mkdirat(fd, "rootfs", 0755) != 0 || mkdirat(fd, "blobs", 0700) != 0) {
        if (fd >= 0)
            close(fd);
        return err_set(err, E_IO, "cannot make a folder for the image: %s", strerror(errno));
    }
    *out = fd;
    return E_OK;
}

/* The archive from the blob store, whole and hashed, before anything of it is looked at. */
static enum err_code from_blob(int dir, int blobs, const struct image_store *st,
                               const struct image_want *want, struct err *err)
{
    char hex[65];
    int64_t size;
    int fd = openat(dir, "archive", O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set(err, E_IO, "cannot store the image archive: %s", strerror(errno));
    enum err_code rc = want->fetch(want->fetch_ctx, want->blob, fd, st->limits.packed_bytes, err);
    if (rc == E_OK)
        rc = blobs_hash(fd, hex, &size, err);
    if (rc == E_OK && strcmp(hex, want->blob) != 0)
        rc =
            err_set(err, E_DIGEST_MISMATCH, "the image archive is not the blob that was asked for");
    if (rc == E_OK)
        rc = blobs_from_archive(blobs, fd, want, &st->limits, err);
    close(fd);
    unlinkat(dir, "archive", 0);
    return rc;
}

/*
 * What unpacking may bring to light is more than the files: headers, padding, entries that are
 * passed by; and all of it twice, where whiteouts are looked for first.
 */
static struct unpack_budget budget_of(const struct image_limits *limits,
                                      const struct image_want *want)
{
    int64_t reading = 2 * (limits->unpacked_bytes + limits->entries * 4096);
    return (struct unpack_budget){.bytes = limits->unpacked_bytes,
                                  .entries = limits->entries,
                                  .reading = {reading, want->stop, want->stop_ctx}};
}

/* On disk; a file takes a block at least. */
static int64_t size_of(const struct image_limits *limits, const struct unpack_budget *left)
{
    return limits->unpacked_bytes - left->bytes + (limits->entries - left->entries) * 4096;
}

static enum err_code unpack_all(int blobs, int rootfs, const struct document *m,
                                struct unpack_budget *budget, struct err *err)
{
    enum err_code rc = E_OK;
    for (size_t i = 0; rc == E_OK && i < m->layer_count; i++) {
        int fd;
        char hex[65];
        int64_t seen;
        rc = blobs_open(blobs, m->layers[i], &fd, err);
        if (rc != E_OK)
            break;
        /* Hashed once more right before use: the file lay on disk since. */
        rc = blobs_hash(fd, hex, &seen, err);
        if (rc == E_OK && strcmp(hex, m->layers[i] + 7) != 0)
            rc = err_set(err, E_DIGEST_MISMATCH, "image layer %zu changed on disk", i + 1);
        if (rc == E_OK)
            rc = unpack_layer(rootfs, fd, i > 0, budget, err);
        close(fd);
    }
    return rc == E_OK ? unpack_places(rootfs, err) : rc;
}

static enum err_code keep_config(int dir, int blobs, const char *digest, struct err *err)
{
    json_t *v;
    enum err_code rc = blobs_json(blobs, digest, &v, err);
    if (rc != E_OK)
        return rc;
    int fd = openat(dir, "config.json", O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0 || json_dumpfd(v, fd, 0) != 0)
        rc = err_set(err, E_IO, "cannot store the image's configuration: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    json_decref(v);
    return rc;
}

static enum err_code resolve(int blobs, const struct image_want *want, json_t **doc,
                             struct err *err)
{
    enum err_code rc = blobs_json(blobs, want->digest, doc, err);
    if (rc != E_OK || !document_is_index(*doc))
        return rc;
    json_t *inner = NULL;
    const char *chosen = document_choose(*doc);
    rc = chosen ? blobs_json(blobs, chosen, &inner, err)
                : err_set(err, E_BAD_MANIFEST, "image has no variant for this machine");
    json_decref(*doc);
    *doc = inner;
    return rc;
}

static enum err_code fill(int dir, const struct image_store *st, const struct image_want *want,
                          int64_t *size, struct err *err)
{
    int blobs = openat(dir, "blobs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rootfs = openat(dir, "rootfs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    json_t *doc = NULL;
    struct document m;
    struct unpack_budget budget = budget_of(&st->limits, want);
    enum err_code rc = E_OK;
    if (blobs < 0 || rootfs < 0)
        rc = err_set(err, E_IO, "cannot open the image's folder: %s", strerror(errno));
    else if (want->blob)
        rc = from_blob(dir, blobs, st, want, err);
    else
        rc = blobs_from_registry(blobs, want, &st->limits, err);
    if (rc == E_OK)
        rc = resolve(blobs, want, &doc, err);
    if (rc == E_OK)
        rc = document_read(doc, &m, err);
    if (rc == E_OK)
        rc = unpack_all(blobs, rootfs, &m, &budget, err);
    *size = size_of(&st->limits, &budget);
    if (rc == E_OK)
        rc = keep_config(dir, blobs, m.config, err);
    json_decref(doc);
    if (blobs >= 0)
        close(blobs);
    if (rootfs >= 0)
        close(rootfs);
    if (rc == E_OK && !unpack_remove(dir, "blobs"))
        rc = err_set(err, E_IO, "cannot tidy the image's folder: %s", strerror(errno));
    return rc;
}

static void tell_pulling(const struct image_want *want)
{
    if (want->progress)
        want->progress(want->progress_ctx, 0, 0);
}

/* One of those who want an image from one place makes it; the others wait here, for as long as they
 * are wanted. */
static enum err_code lock_name(const struct image_store *st, const struct image_want *want,
                               const char *name, int *out, struct err *err)
{
    static const struct timespec pause = {0, 100000000};
    char path[IMAGE_PATH_MAX + 128];
    bool told = false;
    snprintf(path, sizeof(path), "%s/locks/%s", st->dir, name);
    int lock = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    while (lock >= 0 && flock(lock, LOCK_EX | LOCK_NB) != 0) {
        int why = errno;
        bool stopped = want->stop && want->stop(want->stop_ctx);
        if (stopped || (why != EWOULDBLOCK && why != EINTR)) {
            close(lock);
            return stopped ? err_set(err, E_TIMEOUT, "stopped")
                           : err_set(err, E_IO, "cannot lock the image: %s", strerror(why));
        }
        if (!told)
            tell_pulling(want);
        told = true;
        nanosleep(&pause, NULL);
    }
    if (lock < 0)
        return err_set(err, E_IO, "cannot lock the image: %s", strerror(errno));
    *out = lock;
    return E_OK;
}

static void remove_made(const struct image_store *st, const char *place)
{
    char path[IMAGE_PATH_MAX + 16];
    snprintf(path, sizeof(path), "%s/tmp", st->dir);
    int tmp = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (tmp < 0 || !unpack_remove(tmp, place))
        log_warn("image_leftover", "folder=%s", place);
    if (tmp >= 0)
        close(tmp);
}

static enum err_code build(const struct image_store *st, const struct image_want *want,
                           const char *place, struct err *err)
{
    char path[IMAGE_PATH_MAX + 128];
    int dir = -1;
    enum err_code rc = fresh(st->dir, place, &dir, err);
    if (rc != E_OK)
        return rc;
    int64_t size = 0;
    int64_t begun = clock_mono_us();
    tell_pulling(want);
    log_info("image_pulling", "digest=%s from=%s", want->digest,
             want->reference ? want->reference : "blob");
    rc = fill(dir, st, want, &size, err);
    close(dir);
    if (rc != E_OK) {
        remove_made(st, place);
        return rc;
    }
    snprintf(path, sizeof(path), "%s/tmp/%s", st->dir, place);
    evict_note(path, size);
    log_info("image_ready", "digest=%s bytes=%lld ms=%lld", want->digest, (long long)size,
             (long long)(clock_mono_us() - begun) / 1000);
    return E_OK;
}

/* Of two that were made at once, from two places, the first one is the image; they are the same. */
static enum err_code keep(const struct image_store *st, const char *place, const char *to,
                          struct err *err)
{
    char path[IMAGE_PATH_MAX + 128];
    snprintf(path, sizeof(path), "%s/tmp/%s", st->dir, place);
    if (rename(path, to) == 0)
        return E_OK;
    enum err_code rc = errno == ENOTEMPTY || errno == EEXIST
                           ? E_OK
                           : err_set(err, E_IO, "cannot keep the image: %s", strerror(errno));
    remove_made(st, place);
    return rc;
}

/* The image's lock, held when the image is there; else `lock` is -1. */
static enum err_code find(const struct image_store *st, const struct image_want *want,
                          const char *path, int *lock, struct err *err)
{
    int fd = -1;
    enum err_code rc = lock_name(st, want, want->digest + 7, &fd, err);
    bool there = rc == E_OK && access(path, F_OK) == 0;
    if (rc == E_OK && !there)
        close(fd);
    *lock = there ? fd : -1;
    return rc;
}

/* As find(), and made when it is not there. */
static enum err_code find_or_make(const struct image_store *st, const struct image_want *want,
                                  const char *path, bool *made, int *lock, struct err *err)
{
    char place[65];
    int making = -1;
    *made = false;
    enum err_code rc = find(st, want, path, lock, err);
    if (rc != E_OK || *lock >= 0)
        return rc;
    place_of(want, place);
    rc = lock_name(st, want, place, &making, err);
    if (rc != E_OK)
        return rc;
    rc = find(st, want, path, lock, err);
    if (rc == E_OK && *lock < 0) {
        evict_if_short(st, want->digest + 7); /* room for what comes, before it comes */
        *made = true;
        rc = build(st, want, place, err);
        if (rc == E_OK && (rc = lock_name(st, want, want->digest + 7, lock, err)) != E_OK)
            remove_made(st, place);
        if (rc == E_OK)
            rc = keep(st, place, path, err);
    }
    close(making);
    return rc;
}

static enum err_code load(const char *dir, struct image *out, struct arena *arena, struct err *err)
{
    char path[IMAGE_PATH_MAX + 160];
    snprintf(path, sizeof(path), "%s/config.json", dir);
    json_t *v = json_load_file(path, 0, NULL);
    if (!v)
        return err_set(err, E_IO, "the cached image's configuration cannot be read");
    enum err_code rc = document_config(v, out, arena, err);
    json_decref(v);
    snprintf(out->rootfs, sizeof(out->rootfs), "%.490s/rootfs", dir);
    return rc;
}

void image_release(struct image *img)
{
    if (img->hold >= 0)
        close(img->hold);
    img->hold = -1;
}

enum err_code image_get(const struct image_store *st, const struct image_want *want,
                        struct image *out, struct arena *arena, struct err *err)
{
    char path[IMAGE_PATH_MAX + 128];
    if (!blobs_digest_ok(want->digest) || (!want->blob && !want->reference))
        return err_set(err, E_BAD_MANIFEST, "image needs a digest and a place to get it from");
    const char *at = want->reference ? strrchr(want->reference, '@') : NULL;
    if (want->reference && (!at || strcmp(at + 1, want->digest) != 0))
        return err_set(err, E_BAD_MANIFEST, "image reference and image digest are not the same");
    int lock = -1;
    bool made;
    snprintf(path, sizeof(path), "%s/images/%s", st->dir, want->digest + 7);
    enum err_code rc = find_or_make(st, want, path, &made, &lock, err);
    if (rc == E_OK)
        rc = load(path, out, arena, err);
    if (rc == E_OK) {
        evict_note(path, 0);
        out->hold = evict_hold(out->rootfs);
        if (out->hold < 0)
            rc = err_set(err, E_IO, "the cached image cannot be locked: %s", strerror(errno));
    }
    if (lock >= 0)
        close(lock);
    if (rc == E_OK && made)
        evict_trim(st, want->digest + 7);
    return rc;
}
