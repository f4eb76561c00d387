/* SPDX-License-Identifier: MIT */
#include "server/blobs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/hash.h"
#include "lib/hex.h"

#define TMP        "tmp"
#define NAME_MAX_N 96 /* "aa/" and 64 digits, or "tmp/" and 32 */
#define STALE_S    86400
#define READ_AHEAD (4 << 20)

struct blobs {
    int dir;
};

struct blob_writer {
    struct blobs *blobs;
    struct sha256_stream *hash;
    int fd;
    int64_t n;
    char name[NAME_MAX_N];
};

/* A full disk heals; the client may come back. */
static enum err_code io_error(struct err *err, const char *what)
{
    enum err_code code = errno == ENOSPC || errno == EDQUOT ? E_BUSY : E_IO;

    return err_set(err, code, "blob store: %s: %s", what, strerror(errno));
}

static void name_of(const struct digest *d, char *out)
{
    char hex[65];

    hex_encode(d->b, sizeof(d->b), hex);
    snprintf(out, NAME_MAX_N, "%.2s/%s", hex, hex);
}

/* ---- the folder -------------------------------------------------------------------------------
 */

static void sweep(int dir)
{
    int fd = openat(dir, TMP, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    struct dirent *entry;
    struct stat st;

    if (!d) {
        if (fd >= 0)
            close(fd);
        return;
    }
    /* cppcheck-suppress readdirCalled ; the DIR is this thread's own */
    while ((entry = readdir(d))) {
        if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
            st.st_mtime < time(NULL) - STALE_S)
            unlinkat(fd, entry->d_name, 0);
    }
    closedir(d);
}

static bool make_folder(int dir, const char *name)
{
    return mkdirat(dir, name, 0750) == 0 || errno == EEXIST;
}

/* All folders from the start, durable: a commit then syncs its own and nothing above it. */
static bool make_folders(int dir)
{
    char name[3];

    for (unsigned i = 0; i < 256; i++) {
        snprintf(name, sizeof(name), "%02x", i);
        if (!make_folder(dir, name))
            return false;
    }
    return make_folder(dir, TMP) && faccessat(dir, TMP, W_OK | X_OK, 0) == 0 && fsync(dir) == 0;
}

enum err_code blobs_open(const char *dir, struct blobs **out, struct err *err)
{
    struct blobs *b;
    int fd;

    if (!dir || !*dir)
        return err_set(err, E_CONFIG, "no folder for blobs was given");
    if (!make_folder(AT_FDCWD, dir))
        return err_set(err, E_CONFIG, "blob folder %s: %s", dir, strerror(errno));
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, E_CONFIG, "blob folder %s: %s", dir, strerror(errno));
    if (!make_folders(fd)) {
        enum err_code code = err_set(err, E_CONFIG, "blob folder %s: %s", dir, strerror(errno));

        close(fd);
        return code;
    }
    sweep(fd);
    b = calloc(1, sizeof(*b));
    if (!b)
        abort();
    b->dir = fd;
    *out = b;
    return E_OK;
}

void blobs_close(struct blobs *b)
{
    if (!b)
        return;
    close(b->dir);
    free(b);
}

/* ---- writing ----------------------------------------------------------------------------------
 */

enum err_code blob_begin(struct blobs *b, struct blob_writer **out, struct err *err)
{
    struct blob_writer *w = calloc(1, sizeof(*w));
    uint8_t noise[16];
    char hex[33];

    if (!w)
        abort();
    random_bytes(noise, sizeof(noise));
    hex_encode(noise, sizeof(noise), hex);
    w->blobs = b;
    snprintf(w->name, sizeof(w->name), TMP "/%s", hex);
    w->fd = openat(b->dir, w->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (w->fd < 0) {
        enum err_code code = io_error(err, "new file");

        free(w);
        return code;
    }
    w->hash = sha256_begin();
    *out = w;
    return E_OK;
}

enum err_code blob_write(struct blob_writer *w, const void *p, size_t n, struct err *err)
{
    const char *at = p;
    size_t left = n;

    while (left > 0) {
        ssize_t wrote = write(w->fd, at, left);

        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return io_error(err, "write");
        at += wrote;
        left -= (size_t)wrote;
    }
    sha256_add(w->hash, p, n);
    w->n += (int64_t)n;
    return E_OK;
}

int64_t blob_written(const struct blob_writer *w)
{
    return w->n;
}

void blob_drop(struct blob_writer *w)
{
    if (!w)
        return;
    if (w->hash)
        sha256_end(w->hash);
    close(w->fd);
    unlinkat(w->blobs->dir, w->name, 0);
    free(w);
}

/* A name is durable when its folder is. */
static bool sync_folder(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return ok;
}

/* Renaming over bytes that are there already replaces them with the same bytes, atomically, and
 * makes them young again for blob_remove(). */
static enum err_code put_in_place(struct blob_writer *w, const struct digest *d, struct err *err)
{
    char name[NAME_MAX_N];
    char folder[3];
    int dir = w->blobs->dir;

    name_of(d, name);
    snprintf(folder, sizeof(folder), "%.2s", name);
    if (fsync(w->fd) != 0)
        return io_error(err, "fsync");
    if (renameat(dir, w->name, dir, name) != 0)
        return io_error(err, "rename");
    if (!sync_folder(dir, folder))
        return io_error(err, "fsync of the folder");
    return E_OK;
}

enum err_code blob_commit(struct blob_writer *w, const struct digest *want, struct digest *got,
                          struct err *err)
{
    struct digest d = sha256_end(w->hash);
    enum err_code code = E_OK;

    w->hash = NULL;
    if (want && memcmp(want->b, d.b, sizeof(d.b)) != 0)
        code = err_set(err, E_DIGEST_MISMATCH, "the bytes have another SHA-256");
    else
        code = put_in_place(w, &d, err);
    if (code == E_OK && got)
        *got = d;
    blob_drop(w); /* after the rename its name in tmp/ is gone already */
    return code;
}

/* ---- reading and removing ---------------------------------------------------------------------
 */

enum err_code blob_open(struct blobs *b, const struct digest *d, int *fd, int64_t *size,
                        struct err *err)
{
    char name[NAME_MAX_N];
    struct stat st;
    int opened;

    name_of(d, name);
    opened = openat(b->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (opened < 0 && errno == ENOENT)
        return err_set(err, E_BLOB_NOT_FOUND, "no bytes with this digest");
    if (opened < 0)
        return io_error(err, "open");
    if (fstat(opened, &st) != 0) {
        enum err_code code = io_error(err, "stat");

        close(opened);
        return code;
    }
    /* The HTTP thread sends from the page cache; what is read ahead here cannot stall it there. */
    posix_fadvise(opened, 0, READ_AHEAD, POSIX_FADV_WILLNEED);
    posix_fadvise(opened, 0, 0, POSIX_FADV_SEQUENTIAL);
    *fd = opened;
    if (size)
        *size = st.st_size;
    return E_OK;
}

enum err_code blob_remove(struct blobs *b, const struct digest *d, int64_t age_s, struct err *err)
{
    char name[NAME_MAX_N];
    struct stat st;

    name_of(d, name);
    if (fstatat(b->dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? E_OK : io_error(err, "stat");
    if (st.st_mtime > time(NULL) - age_s)
        return E_OK;
    if (unlinkat(b->dir, name, 0) != 0 && errno != ENOENT)
        return io_error(err, "unlink");
    return E_OK;
}
