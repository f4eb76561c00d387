/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/openat2.h>

#include "workers/image/image.h"

static int open_folder(int at, const char *name)
{
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
                                      RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
    return (int)syscall(SYS_openat2, at, name, &how, sizeof(how));
}

enum err_code image_place(const char *rootfs, const char *place, struct err *err)
{
    int at = open(rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (const char *p = place; at >= 0 && *p == '/' && p[1];) {
        char name[NAME_MAX + 1];
        size_t n = strcspn(p + 1, "/");
        snprintf(name, sizeof(name), "%.*s", (int)n, p + 1);
        int next = open_folder(at, name);
        if (next < 0 && errno == ENOENT && (mkdirat(at, name, 0755) == 0 || errno == EEXIST))
            next = open_folder(at, name);
        close(at);
        at = next;
        p += n + 1;
    }
    if (at < 0)
        return err_set(err, E_BAD_MANIFEST,
                       "image has no folder %.100s for a volume, or a link "
                       "on the way there",
                       place);
    close(at);
    return E_OK;
}
