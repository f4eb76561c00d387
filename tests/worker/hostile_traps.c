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

int trap(const char *kind)
{
    if (strcmp(kind, "good") == 0)
        return file("/out/b.txt", "b") || file("/out/a.png", "a");
    if (strcmp(kind, "symlink") == 0)
        return symlink("/etc/shadow", "/out/result");
    if (strcmp(kind, "symlink-up") == 0)
        return symlink("../../../../etc/shadow", "/out/result");
    if (strcmp(kind, "symlink-dir") == 0)
        return symlink("/", "/out/result");
    if (strcmp(kind, "fifo") == 0)
        return mkfifo("/out/fifo", 0644) ? 5 : 0;
    if (strcmp(kind, "device") == 0)
        return mknod("/out/null", S_IFCHR | 0666, 0x103) ? 5 : 0;
    if (strcmp(kind, "socket") == 0)
        return socket_file();
    if (strcmp(kind, "folder") == 0)
        return mkdir("/out/folder", 0755);
    if (strcmp(kind, "hardlink") == 0)
        return file("/out/one", "1") || link("/out/one", "/out/two");
    if (strcmp(kind, "hardlink-root") == 0)
        return link("/bin/hostile", "/out/two") ? 5 : 0;
    if (strcmp(kind, "sparse") == 0)
        return sparse(1L << 40);
    if (strcmp(kind, "sparse-small") == 0)
        return sparse(1L << 20);
    if (strcmp(kind, "setuid") == 0)
        return file("/out/tool", "#!/bin/sh\n") || chmod("/out/tool", 04755);
    if (strcmp(kind, "newline") == 0)
        return file("/out/a\nb", "x");
    if (strcmp(kind, "hidden") == 0)
        return file("/out/.profile", "x");
    if (strcmp(kind, "twice") == 0)
        return file("/out/output.json", "{}");
    if (strcmp(kind, "many") == 0)
        return many();
    if (strcmp(kind, "secret-mode") == 0)
        return file("/out/locked", "x") || chmod("/out/locked", 0);
    return 9;
}
