/* SPDX-License-Identifier: MIT */
#include "workers/contain/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* One descriptor carries the JSON, the rest are the payload; the kernel takes 253 in one message.
 */
#define FDS_MAX 200

enum err_code wire_memfd(const void *p, size_t n, int *out, struct err *err)
{
    int fd = memfd_create("ogpu", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return err_set(err, E_IO, "no memory file: %s", strerror(errno));
    for (size_t done = 0; done < n;) {
        ssize_t w = write(fd, (const char *)p + done, n - done);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0) {
            close(fd);
            return err_set(err, E_IO, "memory file cannot be filled: %s", strerror(errno));
        }
        done += (size_t)w;
    }
    /* The source gets this as its stdin: it may not change what another reader sees. */
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0 ||
        lseek(fd, 0, SEEK_SET) != 0) {
        close(fd);
        return err_set(err, E_IO, "memory file cannot be sealed: %s", strerror(errno));
    }
    *out = fd;
    return E_OK;
}

static enum err_code send_fds(int sock, const int *fds, size_t n, struct err *err)
{
    union {
        char room[CMSG_SPACE(sizeof(int) * FDS_MAX)];
        struct cmsghdr align;
    } control;
    char byte = 0;
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.room};
    memset(&control, 0, sizeof(control));
    msg.msg_controllen = CMSG_SPACE(sizeof(int) * n);
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * n);
    memcpy(CMSG_DATA(c), fds, sizeof(int) * n);
    ssize_t sent;
    do {
        sent = sendmsg(sock, &msg, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent == 1 ? E_OK : err_set(err, E_IO, "the supervisor's socket: %s", strerror(errno));
}

enum err_code wire_send(int sock, const json_t *v, const int *fds, size_t n, struct err *err)
{
    if (n + 1 > FDS_MAX)
        return err_set(err, E_TOO_LARGE, "too many descriptors in one message");
    char *text = v ? json_dumps(v, JSON_COMPACT) : NULL;
    if (!text)
        return err_set(err, E_INTERNAL,
                       "a message to or from the supervisor cannot be written as JSON");
    int all[FDS_MAX] = {-1};
    enum err_code rc = wire_memfd(text, strlen(text), &all[0], err);
    free(text);
    if (rc != E_OK)
        return rc;
    for (size_t i = 0; i < n; i++)
        all[i + 1] = fds[i];
    rc = send_fds(sock, all, n + 1, err);
    close(all[0]);
    return rc;
}

static void close_all(const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        close(fds[i]);
}

static size_t receive_fds(int sock, int *all)
{
    union {
        char room[CMSG_SPACE(sizeof(int) * FDS_MAX)];
        struct cmsghdr align;
    } control;
    char byte;
    struct iovec iov = {&byte, 1};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.room,
                         .msg_controllen = sizeof(control.room)};
    ssize_t got;
    do {
        got = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
    } while (got < 0 && errno == EINTR);
    struct cmsghdr *c = got == 1 ? CMSG_FIRSTHDR(&msg) : NULL;
    if (!c || c->cmsg_type != SCM_RIGHTS)
        return 0;
    size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(all, CMSG_DATA(c), n * sizeof(int));
    return n;
}

static json_t *load(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0 || st.st_size <= 0)
        return NULL;
    void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return NULL;
    json_t *v = json_loadb(p, (size_t)st.st_size, 0, NULL);
    munmap(p, (size_t)st.st_size);
    return v;
}

enum err_code wire_receive(int sock, json_t **out, int *fds, size_t *n, struct err *err)
{
    int all[FDS_MAX];
    size_t got = receive_fds(sock, all);
    if (got == 0)
        return err_set(err, E_IO, "the other side of the supervisor's socket is gone");
    json_t *v = load(all[0]);
    close(all[0]);
    if (!v || got - 1 > *n) {
        json_decref(v);
        close_all(all + 1, got - 1);
        return err_set(err, E_IO, "a broken message on the supervisor's socket");
    }
    *n = got - 1;
    memcpy(fds, all + 1, *n * sizeof(int));
    *out = v;
    return E_OK;
}
