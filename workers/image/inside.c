/* SPDX-License-Identifier: MIT */
#include "workers/image/inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "lib/log.h"
#include "workers/image/unpack.h"

#define DEPTH_MAX 64

bool inside_clean(const char *raw, char out[PATH_MAX])
{
    size_t n = 0;
    int depth = 0;
    for (const char *p = raw; *p;) {
        size_t len = strcspn(p, "/");
        if (len == 2 && p[0] == '.' && p[1] == '.')
            return false;
        if (len > 0 && !(len == 1 && p[0] == '.')) {
            if (len > NAME_MAX || n + len + 2 > PATH_MAX || ++depth > DEPTH_MAX)
                return false;
            if (n > 0)
                out[n++] = '/';
            memcpy(out + n, p, len);
            n += len;
        }
        p += len;
        while (*p == '/')
            p++;
    }
    out[n] = '\0';
    return true;
}

/* The parts of an open folder's path as the kernel tells it; -1 when it is longer than any path. */
static int parts_of(int fd)
{
    char link[32];
    char path[PATH_MAX];
    int parts = 0;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof(path));
    for (ssize_t i = 0; i < n; i++)
        parts += path[i] == '/';
    return n < 0 ? -1 : parts;
}

/*
 * How deep a folder is has to be asked, its path does not say: each of an image's links may lead to
 * where the entry before ended, and what is made behind them all has no end.
 */
static bool too_deep(int root, int fd)
{
    int top = parts_of(root);
    int parts = parts_of(fd);
    return top < 0 || parts < 0 || parts - top >= DEPTH_MAX;
}

static int open_folder(int root, const char *path)
{
    struct open_how how = {
        .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    int fd = (int)syscall(SYS_openat2, root, path[0] ? path : ".", &how, sizeof(how));
    if (fd >= 0 && too_deep(root, fd)) {
        close(fd);
        errno = ENAMETOOLONG;
        return -1;
    }
    return fd;
}

static bool make_one(int at, const char *name, int64_t *folders)
{
    if (*folders <= 0) {
        errno = EDQUOT;
        return false;
    }
    --*folders;
    return mkdirat(at, name, 0755) == 0;
}

/* Folder by folder, so that a missing one can be made where it really belongs. */
static int make_folders(int root, const char *path, int64_t *folders)
{
    char part[PATH_MAX];
    int at = -1;
    for (const char *p = path;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        size_t n = (size_t)(p - path);
        memcpy(part, path, n);
        part[n] = '\0';
        int fd = open_folder(root, part);
        if (fd < 0 && errno == ENOENT) {
            const char *slash = strrchr(part, '/');
            if (make_one(at >= 0 ? at : root, slash ? slash + 1 : part, folders))
                fd = open_folder(root, part);
        }
        int why = errno;
        if (at >= 0)
            close(at);
        errno = why;
        at = fd;
        if (fd < 0 || *p == '\0')
            return at;
    }
}

int inside_parent(int root, const char *path, int64_t *folders, const char **name)
{
    char part[PATH_MAX];
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    size_t n = slash ? (size_t)(slash - path) : 0;
    if (n >= sizeof(part)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(part, path, n);
    part[n] = '\0';
    int fd = open_folder(root, part);
    if (fd < 0 && errno == ENOENT && folders)
        fd = make_folders(root, part, folders);
    return fd;
}

/* ---- removing ---- */

/*
 * A tree may be deeper than a stack or a table of descriptors has room for. So nothing descends:
 * the folders in a folder of the top are lifted to the top, each once, where their turn comes.
 */
struct sweep {
    DIR *top;
    unsigned names; /* given to what was lifted */
    bool moved;     /* something went, or was lifted */
    int why;        /* errno for something that stays; 0: nothing does */
    char what[NAME_MAX + 1];
};

static void stays(struct sweep *s, const char *name)
{
    s->why = errno;
    snprintf(s->what, sizeof(s->what), "%s", name);
}

/* By descriptor, never by name: what it is called may be a link by now. Only who is not root has to
 * mind the mode that an image gave to its folder. */
static int open_in(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES && fchmodat(parent, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
        fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd;
}

static DIR *open_list(int parent, const char *name)
{
    int fd = open_in(parent, name);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d && fd >= 0)
        close(fd);
    return d;
}

static const char *next_name(DIR *d)
{
    /* cppcheck-suppress readdirCalled ; the DIR is this thread's own */
    const struct dirent *e = readdir(d);
    while (e && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0))
        e = readdir(d); /* cppcheck-suppress readdirCalled ; as above */
    return e ? e->d_name : NULL;
}

/* A file, or a folder that holds nothing; ENOTEMPTY for one that does. */
static bool remove_one(int parent, const char *name)
{
    if (unlinkat(parent, name, 0) == 0)
        return true;
    int why = errno;
    if (why != EISDIR && why != EPERM)
        return false;
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0)
        return true;
    if (errno == ENOTDIR)
        errno = why;
    return false;
}

static bool lift(struct sweep *s, int from, const char *name)
{
    char to[16];
    for (bool asked = false;;) {
        snprintf(to, sizeof(to), "%u", s->names++);
        if (renameat(from, name, dirfd(s->top), to) == 0)
            return true;
        /* a folder that may not be written cannot be moved: it holds the way up */
        if (errno == EACCES && !asked && fchmodat(from, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
            asked = true;
        else if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR)
            return false;
    }
}

/* A folder of the top loses its files, and its folders to the top; then it goes. */
static void flatten(struct sweep *s, const char *name)
{
    DIR *d = open_list(dirfd(s->top), name);
    if (!d) {
        stays(s, name);
        return;
    }
    (void)fchmod(dirfd(d), 0700);
    const char *in;
    while ((in = next_name(d)) != NULL) {
        if (remove_one(dirfd(d), in) || (errno == ENOTEMPTY && lift(s, dirfd(d), in)))
            s->moved = true;
        else
            stays(s, in);
    }
    closedir(d);
    if (unlinkat(dirfd(s->top), name, AT_REMOVEDIR) == 0)
        s->moved = true;
    else if (s->why == 0)
        stays(s, name);
}

bool inside_empty(int dir)
{
    struct sweep s = {.top = open_list(dir, ".")};
    if (!s.top)
        return false;
    const char *name;
    do { /* a list may or may not show what came into the folder since it was begun */
        s.moved = false;
        s.why = 0;
        rewinddir(s.top);
        while ((name = next_name(s.top)) != NULL) {
            if (remove_one(dirfd(s.top), name))
                s.moved = true;
            else if (errno == ENOTEMPTY)
                flatten(&s, name);
            else
                stays(&s, name);
        }
    } while (s.moved);
    closedir(s.top);
    if (s.why)
        log_warn("image_not_removed", "what=%s error=%s", s.what, strerror(s.why));
    errno = s.why;
    return s.why == 0;
}

bool unpack_remove(int parent, const char *name)
{
    if (remove_one(parent, name))
        return true;
    if (errno != ENOTEMPTY)
        return false;
    int dir = open_in(parent, name);
    if (dir < 0)
        return false;
    (void)fchmod(dir, 0700);
    bool ok = inside_empty(dir);
    int why = errno;
    close(dir);
    errno = why;
    return ok && unlinkat(parent, name, AT_REMOVEDIR) == 0;
}
