/* SPDX-License-Identifier: MIT */
#include "lib/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/hash.h"

static enum err_code check_file(int fd, const char *path, struct err *err)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return err_set(err, E_CONFIG, "'%s' cannot be read: errno %d", path, errno);
    if (!S_ISREG(st.st_mode))
        return err_set(err, E_CONFIG, "'%s' must be a regular file", path);
    if (st.st_uid != geteuid())
        return err_set(err, E_CONFIG, "'%s' must be owned by the user that runs this", path);
    if ((st.st_mode & 0077) != 0)
        return err_set(err, E_CONFIG, "'%s' is open to others: chmod 600", path);
    return E_OK;
}

/* Until the end or a byte more than there is room for. @return bytes, SIZE_MAX on failure */
static size_t read_all(int fd, uint8_t *out, size_t room)
{
    uint8_t more;
    size_t n = 0;

    for (;;) {
        bool full = n == room;
        ssize_t got = full ? read(fd, &more, 1) : read(fd, out + n, room - n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 || (full && got > 0))
            return SIZE_MAX;
        if (got == 0)
            return n;
        n += (size_t)got;
    }
}

enum err_code secret_read(const char *path, void *out, size_t room, size_t *n, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    enum err_code rc;

    if (fd < 0 && errno == ELOOP)
        return err_set(err, E_CONFIG, "'%s' must not be a symlink", path);
    if (fd < 0)
        return err_set(err, E_CONFIG, "'%s' cannot be opened: errno %d", path, errno);
    rc = check_file(fd, path, err);
    if (rc == E_OK) {
        *n = read_all(fd, out, room);
        if (*n == SIZE_MAX) {
            wipe(out, room);
            *n = 0;
            rc = err_set(err, E_CONFIG, "'%s' cannot be read, or holds more than %zu bytes", path,
                         room);
        }
    }
    close(fd);
    return rc;
}
