/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "hostile.h"

static int file(const char *name, const char *text)
{
    int fd = openat(AT_FDCWD, name, O_CREAT | O_WRONLY, 0644);
    ssize_t n = write(fd, text, strlen(text));
    close(fd);
    return n < 0;
}

static int socket_file(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "/out/socket"};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    return bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0;
}

static int many(void)
{
    char name[32];
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "/out/f%d", i);
        if (file(name, "x"))
            return 1;
    }
    return 0;
}

/* A file that claims to be long without holding bytes. */
static int sparse(long size)
{
    int fd = open("/out/sparse", O_CREAT | O_WRONLY, 0644);
    return ftruncate(fd, size) != 0 ? 5 : 0;
}

static int set_good(void)
{
    return file("/out/b.txt", "b") || file("/out/a.png", "a");
}

static int set_empty(void)
{
    return file("/out/empty.txt", "");
}

static int set_symlink(void)
{
    return symlink("/etc/shadow", "/out/result");
}

static int set_symlink_up(void)
{
    return symlink("../../../../etc/shadow", "/out/result");
}

static int set_symlink_dir(void)
{
    return symlink("/", "/out/result");
}

static int set_fifo(void)
{
    return mkfifo("/out/fifo", 0644) ? 5 : 0;
}

static int set_device(void)
{
    return mknod("/out/null", S_IFCHR | 0666, 0x103) ? 5 : 0;
}

static int set_socket(void)
{
    return socket_file();
}

static int set_folder(void)
{
    return mkdir("/out/folder", 0755);
}

static int set_hardlink(void)
{
    return file("/out/one", "1") || link("/out/one", "/out/two");
}

static int set_hardlink_root(void)
{
    return link("/bin/hostile", "/out/two") ? 5 : 0;
}

static int set_sparse(void)
{
    return sparse(1L << 40);
}

static int set_sparse_small(void)
{
    return sparse(1L << 20);
}

static int set_setuid(void)
{
    return file("/out/tool", "#!/bin/sh\n") || chmod("/out/tool", 04755);
}

static int set_newline(void)
{
    return file("/out/a\nb", "x");
}

static int set_hidden(void)
{
    return file("/out/.profile", "x");
}

static int set_twice(void)
{
    return file("/out/output.json", "{}");
}

static int set_many(void)
{
    return many();
}

static int set_secret_mode(void)
{
    return file("/out/locked", "x") || chmod("/out/locked", 0);
}

static const struct {
    const char *kind;
    int (*set)(void);
} traps[] = {
    {"good", set_good},
    {"empty", set_empty},
    {"symlink", set_symlink},
    {"symlink-up", set_symlink_up},
    {"symlink-dir", set_symlink_dir},
    {"fifo", set_fifo},
    {"device", set_device},
    {"socket", set_socket},
    {"folder", set_folder},
    {"hardlink", set_hardlink},
    {"hardlink-root", set_hardlink_root},
    {"sparse", set_sparse},
    {"sparse-small", set_sparse_small},
    {"setuid", set_setuid},
    {"newline", set_newline},
    {"hidden", set_hidden},
    {"twice", set_twice},
    {"many", set_many},
    {"secret-mode", set_secret_mode},
};

int trap(const char *kind)
{
    for (size_t i = 0; i < sizeof(traps) / sizeof(traps[0]); i++) {
        if (strcmp(kind, traps[i].kind) == 0)
            return traps[i].set();
    }
    return 9;
}
