/* SPDX-License-Identifier: MIT */
#include "workers/image/evict.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/log.h"
#include "workers/image/unpack.h"

#define IMAGES_MAX 4096

struct row {
    char hex[65];
    int64_t bytes;
    struct timespec used;
};

void evict_note(const char *image_dir, int64_t bytes)
{
    char path[IMAGE_PATH_MAX + 160];
    snprintf(path, sizeof(path), "%s/used", image_dir);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return;
    if (bytes > 0)
        dprintf(fd, "%lld\n", (long long)bytes);
    if (futimens(fd, NULL) != 0)
        log_warn("image_use_not_noted", "dir=%s", image_dir);
    close(fd);
}

int evict_hold(const char *rootfs)
{
    int fd = open(rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0 && flock(fd, LOCK_SH) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static bool read_row(int images, const char *hex, struct row *out)
{
    char path[96];
    char text[32] = "";
    struct stat st;
    if (strlen(hex) != 64 || strspn(hex, "0123456789abcdef") != 64)
        return false;
    snprintf(path, sizeof(path), "%.64s/used", hex);
    memcpy(out->hex, hex, 65);
    out->bytes = 0;
    out->used = (struct timespec){0};
    int fd = openat(images, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return true; /* of an older worker: size unknown, the first to go */
    if (fstat(fd, &st) == 0 && read(fd, text, sizeof(text) - 1) > 0)
        out->bytes = strtoll(text, NULL, 10);
    out->used = st.st_mtim;
    close(fd);
    return true;
}

static int by_use(const void *a, const void *b)
{
    const struct row *x = a;
    const struct row *y = b;
    if (x->used.tv_sec != y->used.tv_sec)
        return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    if (x->used.tv_nsec != y->used.tv_nsec)
        return x->used.tv_nsec < y->used.tv_nsec ? -1 : 1;
    return strcmp(x->hex, y->hex);
}

static size_t read_rows(int images, struct row *rows)
{
    size_t n = 0;
    int copy = openat(images, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    /* cppcheck-suppress readdirCalled ; the DIR is this thread's own */
    for (struct dirent *e = d ? readdir(d) : NULL; e && n < IMAGES_MAX; e = readdir(d))
        n += read_row(images, e->d_name, &rows[n]);
    if (d)
        closedir(d);
    else if (copy >= 0)
        close(copy);
    qsort(rows, n, sizeof(rows[0]), by_use);
    return n;
}

/* Whoever has just found the image in the cache has this lock and not yet the one on its folder. */
static int lock_free(const struct image_store *st, const char *hex)
{
    char path[IMAGE_PATH_MAX + 160];
    snprintf(path, sizeof(path), "%s/locks/%s", st->dir, hex);
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Out of sight by rename first: a half-removed image must not look like a whole one. */
static bool put_aside(const struct image_store *st, int images, const struct row *row,
                      const char *gone)
{
    char path[IMAGE_PATH_MAX + 160];
    int lock = lock_free(st, row->hex);
    if (lock < 0)
        return false;
    snprintf(path, sizeof(path), "%s/images/%s/rootfs", st->dir, row->hex);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* a lock on it: somebody looks at it */
    bool ok = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
              renameat(images, row->hex, AT_FDCWD, gone) == 0;
    if (fd >= 0)
        close(fd);
    close(lock);
    return ok;
}

enum taken { HELD, PARTLY, WHOLLY };

static enum taken take_away(const struct image_store *st, int images, const struct row *row)
{
    char path[IMAGE_PATH_MAX + 160];
    char gone[IMAGE_PATH_MAX + 160];
    snprintf(gone, sizeof(gone), "%s/tmp/%s.gone", st->dir, row->hex);
    if (!put_aside(st, images, row, gone))
        return HELD;
    snprintf(path, sizeof(path), "%s/tmp", st->dir);
    int tmp = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = tmp >= 0 && unpack_remove(tmp, strrchr(gone, '/') + 1);
    if (!ok)
        log_warn("image_leftover", "digest=%s", row->hex);
    if (tmp >= 0)
        close(tmp);
    return ok ? WHOLLY : PARTLY;
}

/* How many bytes the disk has too few. */
static int64_t lacking(const struct image_store *st, int images)
{
    struct statvfs fs;
    if (st->limits.free_bytes == 0 || fstatvfs(images, &fs) != 0)
        return 0;
    int64_t left = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
    return left < st->limits.free_bytes ? st->limits.free_bytes - left : 0;
}

static bool too_much(const struct image_store *st, int images, int64_t total)
{
    return (st->limits.cache_bytes > 0 && total > st->limits.cache_bytes) ||
           lacking(st, images) > 0;
}

static unsigned trim(const struct image_store *st, int images, const char *keep)
{
    unsigned gone = 0;
    int64_t total = 0;
    struct row *rows = calloc(IMAGES_MAX, sizeof(*rows));
    size_t n = rows ? read_rows(images, rows) : 0;
    for (size_t i = 0; i < n; i++)
        total += rows[i].bytes;
    for (size_t i = 0; i < n && too_much(st, images, total); i++) {
        /* what stays in part may have kept all of its bytes: the next one goes too */
        if (strcmp(rows[i].hex, keep) == 0 || take_away(st, images, &rows[i]) != WHOLLY)
            continue;
        total -= rows[i].bytes;
        gone++;
        log_info("image_evicted", "digest=%s bytes=%lld", rows[i].hex, (long long)rows[i].bytes);
    }
    free(rows);
    if (lacking(st, images) > 0)
        log_warn("disk_low", "dir=%s lacking_mb=%lld", st->dir,
                 (long long)(lacking(st, images) >> 20) + 1);
    return gone;
}

unsigned evict_trim(const struct image_store *st, const char *keep)
{
    char path[IMAGE_PATH_MAX + 32];
    unsigned gone = 0;
    if (st->limits.cache_bytes == 0 && st->limits.free_bytes == 0)
        return 0;
    snprintf(path, sizeof(path), "%s/locks/trim", st->dir);
    int lock = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    snprintf(path, sizeof(path), "%s/images", st->dir);
    int images = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock >= 0 && images >= 0 && flock(lock, LOCK_EX) == 0)
        gone = trim(st, images, keep);
    if (images >= 0)
        close(images);
    if (lock >= 0)
        close(lock);
    return gone;
}

unsigned evict_if_short(const struct image_store *st, const char *keep)
{
    int dir = open(st->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_short = dir >= 0 && lacking(st, dir) > 0;
    if (dir >= 0)
        close(dir);
    return is_short ? evict_trim(st, keep) : 0;
}
