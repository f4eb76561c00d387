/* SPDX-License-Identifier: MIT */
#include "workers/image/inside.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

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

static int open_folder(int root, const char *path)
{
    struct open_how how = {
        .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    return (int)syscall(SYS_openat2, root, path[0] ? path : ".", &how, sizeof(how));
}

/* Folder by folder, so that a missing one can be made where it really belongs. */
static int make_folders(int root, const char *path)
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
            if (mkdirat(at >= 0 ? at : root, slash ? slash + 1 : part, 0755) == 0)
                fd = open_folder(root, part);
        }
        if (at >= 0)
            close(at);
        at = fd;
        if (fd < 0 || *p == '\0')
            return at;
    }
}

int inside_parent(int root, const char *path, bool make, const char **name)
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
    if (fd < 0 && errno == ENOENT && make)
        fd = make_folders(root, part);
    return fd;
}

bool inside_empty(int dir)
{
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    bool ok = true;
    /* cppcheck-suppress readdirCalled ; the DIR is this thread's own */
    for (struct dirent *e = readdir(d); ok && e; e = readdir(d)) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            ok = unpack_remove(fd, e->d_name);
    }
    closedir(d);
    return ok;
}

/* Depth is bounded by DEPTH_MAX: only folders that inside_clean() let in exist below. */
bool unpack_remove(int parent, const char *name)
{
    if (unlinkat(parent, name, 0) == 0)
        return true;
    if (errno != EISDIR && errno != EPERM)
        return false;
    int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0)
        return false;
    bool ok = inside_empty(dir);
    close(dir);
    return ok && unlinkat(parent, name, AT_REMOVEDIR) == 0;
}
