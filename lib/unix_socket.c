/* SPDX-License-Identifier: MIT */
#include "lib/unix_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 16

static enum err_code address_of(const char *path, struct sockaddr_un *out, struct err *err)
{
    size_t n = strlen(path);

    if (n >= sizeof(out->sun_path))
        return err_set(err, E_CONFIG, "%.100s: too long a path", path);
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(out->sun_path, path, n);
    return E_OK;
}

/* A socket without a listener. A listener with a full queue answers EAGAIN: it lives. */
static bool is_left_over(const struct sockaddr_un *at)
{
    struct stat st;
    bool refused;
    int fd;

    if (lstat(at->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    refused = fd >= 0 && connect(fd, (const struct sockaddr *)at, sizeof(*at)) != 0 &&
              errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return refused;
}

enum err_code unix_listen(const char *path, int *out, struct err *err)
{
    struct sockaddr_un at;
    enum err_code rc = address_of(path, &at, err);
    mode_t before;
    int saved;
    bool ok;
    int fd;

    if (rc != E_OK)
        return rc;
    if (is_left_over(&at))
        unlink(path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    before = umask(0177);
    ok = fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof(at)) == 0 &&
         listen(fd, BACKLOG) == 0;
    saved = errno;
    umask(before);
    if (ok) {
        *out = fd;
        return E_OK;
    }
    if (fd >= 0)
        close(fd);
    return err_set(err, E_CONFIG, "cannot listen at %.100s: %s", path, strerror(saved));
}

enum err_code unix_connect(const char *path, int *out, struct err *err)
{
    struct sockaddr_un at;
    enum err_code rc = address_of(path, &at, err);
    int saved;
    int fd;

    if (rc != E_OK)
        return rc;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&at, sizeof(at)) == 0) {
        *out = fd;
        return E_OK;
    }
    saved = errno;
    if (fd >= 0)
        close(fd);
    return err_set(err, E_PEER, "%.100s: %s", path, strerror(saved));
}
