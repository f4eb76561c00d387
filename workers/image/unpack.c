/* SPDX-License-Identifier: MIT */
#include "workers/image/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workers/image/inside.h"

#define ID_MAX     65535
#define WHITEOUT   ".wh."
#define OPAQUE     ".wh..wh..opq"
#define READ_BLOCK 65536

static enum err_code refused(struct err *err, const char *path, const char *why)
{
    char safe[80];
    size_t n = strnlen(path, sizeof(safe) - 1);
    for (size_t i = 0; i < n; i++)
        safe[i] = path[i] > ' ' && path[i] <= '~' ? path[i] : '?';
    safe[n] = '\0';
    return err_set(err, E_BAD_MANIFEST, "layer entry '%s' %s", safe, why);
}

static enum err_code too_many(struct err *err)
{
    return err_set(err, E_TOO_LARGE, "image has too many files");
}

/* After inside_parent() has said no. */
static enum err_code no_parent(struct err *err, const char *path)
{
    if (errno == EDQUOT)
        return too_many(err);
    return refused(err, path,
                   errno == ENAMETOOLONG ? "is too deep"
                                         : "has a parent that is not a folder of the image");
}

/* The next entry with its clean path. @return false at the end or on failure (then *rc is set). */
static bool next(struct stream *a, struct archive_entry **e, char path[PATH_MAX],
                 struct unpack_budget *budget, enum err_code *rc, struct err *err)
{
    *rc = stream_next(a, e, err);
    if (*rc != E_OK || !*e)
        return false;
    if (--budget->entries < 0) {
        *rc = too_many(err);
        return false;
    }
    const char *raw = archive_entry_pathname(*e);
    if (!raw || !inside_clean(raw, path)) {
        *rc = refused(err, raw ? raw : "", "has a path that leaves the image");
        return false;
    }
    return true;
}

/* ---- whiteouts ---- */

static enum err_code whiteout(int root, const char *path, struct err *err)
{
    const char *name;
    int parent = inside_parent(root, path, NULL, &name);
    if (parent < 0)
        return errno == ENOENT ? E_OK : no_parent(err, path);
    enum err_code rc = E_OK;
    if (strcmp(name, OPAQUE) == 0) {
        if (!inside_empty(parent))
            rc = refused(err, path, "cannot be applied");
    } else {
        const char *victim = name + strlen(WHITEOUT);
        if (victim[0] == '\0' || strcmp(victim, ".") == 0 || strcmp(victim, "..") == 0)
            rc = refused(err, path, "is a whiteout of nothing");
        else if (!unpack_remove(parent, victim) && errno != ENOENT)
            rc = refused(err, path, "cannot be applied");
    }
    close(parent);
    return rc;
}

static bool is_whiteout(const char *path)
{
    const char *slash = strrchr(path, '/');
    return strncmp(slash ? slash + 1 : path, WHITEOUT, strlen(WHITEOUT)) == 0;
}

/* A whiteout speaks about the layers below, wherever it stands in its own: so all of them come
 * first. */
static enum err_code whiteouts(int root, int fd, struct unpack_budget *budget, struct err *err)
{
    struct stream *a = NULL;
    enum err_code rc = stream_open(fd, "layer", true, &budget->reading, &a, err);
    if (rc != E_OK)
        return rc;
    struct archive_entry *e;
    char path[PATH_MAX];
    int64_t entries = budget->entries;
    while (rc == E_OK && next(a, &e, path, budget, &rc, err)) {
        if (is_whiteout(path))
            rc = whiteout(root, path, err);
    }
    budget->entries = entries; /* they are the image's once */
    stream_close(a);
    return rc;
}

/* ---- entries ---- */

/* What stands in the way goes, except a folder where a folder comes. */
static bool make_room(int parent, const char *name, bool folder)
{
    struct stat st;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT;
    if (folder && S_ISDIR(st.st_mode))
        return true;
    return unpack_remove(parent, name);
}

static enum err_code write_file(struct stream *a, int fd, struct unpack_budget *budget,
                                struct err *err)
{
    char bytes[READ_BLOCK];
    for (;;) {
        size_t n = 0;
        enum err_code rc = stream_read(a, bytes, sizeof(bytes), &n, err);
        if (rc != E_OK || n == 0)
            return rc;
        budget->bytes -= (int64_t)n;
        if (budget->bytes < 0)
            return err_set(err, E_TOO_LARGE, "image unpacks to too many bytes");
        for (size_t done = 0; done < n;) {
            ssize_t w = write(fd, bytes + done, n - done);
            if (w < 0 && errno == EINTR)
                continue;
            if (w <= 0)
                return err_set(err, E_IO, "cannot write an image file: %s", strerror(errno));
            done += (size_t)w;
        }
    }
}

/*
 * Owner and mode. A worker that is not root has no ids to give to the files of images: they stay
 * its own then, and what their owner may read is readable to all, for the container's user is
 * somebody else. Nothing can be written there anyway; the mount is read only.
 */
static bool give(int fd, struct archive_entry *e, mode_t mode)
{
    if (fchown(fd, (uid_t)archive_entry_uid(e), (gid_t)archive_entry_gid(e)) == 0)
        return fchmod(fd, mode) == 0;
    mode_t readable = mode >> 6 & 05;
    return errno == EINVAL && fchmod(fd, mode | readable << 3 | readable) == 0;
}

static enum err_code put_file(struct stream *a, struct archive_entry *e, int parent,
                              const char *name, struct unpack_budget *budget, struct err *err)
{
    int fd = openat(parent, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return refused(err, name, "cannot be made");
    enum err_code rc = write_file(a, fd, budget, err);
    if (rc == E_OK && !give(fd, e, archive_entry_perm(e) & 0777))
        rc = err_set(err, E_IO, "cannot give an image file to its owner: %s", strerror(errno));
    close(fd);
    return rc;
}

static enum err_code put_folder(struct archive_entry *e, int parent, const char *name,
                                struct err *err)
{
    if (mkdirat(parent, name, 0700) != 0 && errno != EEXIST)
        return refused(err, name, "cannot be made");
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool ok = fd >= 0 && give(fd, e, archive_entry_perm(e) & 01777);
    if (fd >= 0)
        close(fd);
    return ok ? E_OK : refused(err, name, "cannot be made");
}

static enum err_code put_hard_link(int root, const char *target, int parent, const char *name,
                                   struct err *err)
{
    char path[PATH_MAX];
    const char *last;
    if (!inside_clean(target, path) || path[0] == '\0')
        return refused(err, name, "is a hard link that leaves the image");
    int from = inside_parent(root, path, NULL, &last);
    if (from < 0)
        return refused(err, name, "is a hard link to nothing");
    struct stat st;
    bool ok = fstatat(from, last, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
              linkat(from, last, parent, name, 0) == 0;
    close(from);
    return ok ? E_OK
              : refused(err, name, "is a hard link to something that is no file of the image");
}

static enum err_code put_symlink(struct archive_entry *e, int parent, const char *name,
                                 struct err *err)
{
    const char *to = archive_entry_symlink(e);
    if (!to || to[0] == '\0' || symlinkat(to, parent, name) != 0 ||
        (fchownat(parent, name, (uid_t)archive_entry_uid(e), (gid_t)archive_entry_gid(e),
                  AT_SYMLINK_NOFOLLOW) != 0 &&
         errno != EINVAL))
        return refused(err, name, "cannot be made");
    return E_OK;
}

static enum err_code put(struct stream *a, struct archive_entry *e, int root, const char *path,
                         struct unpack_budget *budget, struct err *err)
{
    const char *name;
    const char *link = archive_entry_hardlink(e);
    unsigned type = archive_entry_filetype(e);
    if (archive_entry_uid(e) < 0 || archive_entry_uid(e) > ID_MAX || archive_entry_gid(e) < 0 ||
        archive_entry_gid(e) > ID_MAX)
        return refused(err, path, "has an owner beyond 65535");
    if (!link && type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK)
        return E_OK; /* device nodes, sockets, pipes: no source needs them from its image */
    int parent = inside_parent(root, path, &budget->entries, &name);
    if (parent < 0)
        return no_parent(err, path);
    enum err_code rc = E_OK;
    if (!make_room(parent, name, type == AE_IFDIR && !link))
        rc = refused(err, path, "cannot replace what is there");
    else if (link)
        rc = put_hard_link(root, link, parent, name, err);
    else if (type == AE_IFREG)
        rc = put_file(a, e, parent, name, budget, err);
    else if (type == AE_IFDIR)
        rc = put_folder(e, parent, name, err);
    else
        rc = put_symlink(e, parent, name, err);
    close(parent);
    return rc;
}

enum err_code unpack_layer(int root, int fd, bool lower, struct unpack_budget *budget,
                           struct err *err)
{
    struct stream *a = NULL;
    enum err_code rc = lower ? whiteouts(root, fd, budget, err) : E_OK;
    if (rc == E_OK)
        rc = stream_open(fd, "layer", true, &budget->reading, &a, err);
    if (rc != E_OK)
        return rc;
    struct archive_entry *e;
    char path[PATH_MAX];
    while (rc == E_OK && next(a, &e, path, budget, &rc, err)) {
        /* "" is the root itself: ours, whatever the layer says of it */
        if (path[0] != '\0' && !is_whiteout(path))
            rc = put(a, e, root, path, budget, err);
    }
    stream_close(a);
    return rc;
}

/* ---- mount points ---- */

static bool place(int root, const char *path, mode_t mode)
{
    const char *name;
    int64_t folders = 8;
    int parent = inside_parent(root, path, &folders, &name);
    if (parent < 0)
        return false;
    bool ok = mkdirat(parent, name, 0755) == 0 || errno == EEXIST;
    int fd = ok ? openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
    /* runc gives a tmpfs the mode of the folder below it */
    ok = fd >= 0 && fchmod(fd, mode) == 0;
    if (fd >= 0)
        close(fd);
    close(parent);
    return ok;
}

enum err_code unpack_places(int root, struct err *err)
{
    static const struct {
        const char *path;
        mode_t mode;
    } places[] = {{"proc", 0755},
                  {"dev", 0755},
                  {"in", 0755},
                  {"out", 01777},
                  {"tmp", 01777},
                  {"sys", 0755},
                  {"usr/local/nvidia", 0755}};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        if (!place(root, places[i].path, places[i].mode))
            return refused(err, places[i].path, "is needed as a folder and is something else");
    }
    return E_OK;
}
