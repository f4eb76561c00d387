/* SPDX-License-Identifier: MIT */
#include "workers/contain/card.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "workers/contain/house.h"

#define HOUSE_CARD  HOUSE "/card"
#define HOUSE_LIB   HOUSE_CARD "/lib64"
#define HOUSE_PARTS HOUSE "/parts"

static const json_t *part(const json_t *edits, const char *name)
{
    return json_object_get(edits, name);
}

static const char *word(const json_t *list, size_t row, size_t column)
{
    return json_string_value(json_array_get(json_array_get(list, row), column));
}

static enum err_code failed(struct err *err, const char *what, const char *path)
{
    return err_set(err, E_IO, "cannot prepare the card: %s %.100s: %s", what, path,
                   strerror(errno));
}

static enum err_code keep_list(const json_t *list, mode_t kind, struct card_kept *k,
                               struct err *err)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *path = word(list, i, 0);
        struct stat st;
        if (!path || !word(list, i, 1) || k->n >= CARD_PARTS_MAX)
            return err_set(err, E_IO, "the card's edits are broken");
        int fd = open(path, O_PATH | O_CLOEXEC);
        if (fd < 0)
            return failed(err, "open", path);
        k->fds[k->n++] = fd;
        errno = EINVAL;
        if (fstat(fd, &st) != 0 || (st.st_mode & S_IFMT) != kind)
            return failed(err, "kind of", path);
    }
    return E_OK;
}

enum err_code card_keep(const json_t *edits, struct card_kept *k, struct err *err)
{
    k->n = 0;
    if (!edits)
        return E_OK;
    enum err_code rc = keep_list(part(edits, "nodes"), S_IFCHR, k, err);
    return rc == E_OK ? keep_list(part(edits, "files"), S_IFREG, k, err) : rc;
}

void card_let_go(struct card_kept *k)
{
    while (k->n > 0)
        close(k->fds[--k->n]);
}

static bool make_file(const char *path)
{
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* Nodes and files as mounts of their own, by number; flags of a node or of a file. */
static bool bind(const struct card_kept *k, size_t i, unsigned long flags)
{
    char from[64];
    char to[64];
    snprintf(from, sizeof(from), "/proc/self/fd/%d", k->fds[i]);
    snprintf(to, sizeof(to), HOUSE_PARTS "/%zu", i);
    return make_file(to) && mount(from, to, NULL, MS_BIND, NULL) == 0 &&
           mount(NULL, to, NULL, MS_BIND | MS_REMOUNT | flags, NULL) == 0;
}

/* The folder that the container gets: links, and empty files for the libraries to be mounted on. */
static enum err_code make_folder(const json_t *files, const json_t *links, struct err *err)
{
    char path[256];
    if (mkdir(HOUSE_CARD, 0755) != 0 || mkdir(HOUSE_LIB, 0755) != 0)
        return failed(err, "folder", HOUSE_LIB);
    for (size_t i = 0; i < json_array_size(files); i++) {
        snprintf(path, sizeof(path), HOUSE_LIB "/%.200s", word(files, i, 1));
        if (strchr(word(files, i, 1), '/') || !make_file(path))
            return failed(err, "place of", path);
    }
    for (size_t i = 0; i < json_array_size(links); i++) {
        const char *name = word(links, i, 0);
        const char *target = word(links, i, 1);
        snprintf(path, sizeof(path), HOUSE_LIB "/%.200s", name ? name : "/");
        if (!name || !target || strchr(name, '/') || strchr(target, '/') ||
            symlink(target, path) != 0)
            return failed(err, "link", path);
    }
    return E_OK;
}

enum err_code card_mount(const json_t *edits, const struct card_kept *k, struct err *err)
{
    if (!edits)
        return E_OK;
    size_t nodes = json_array_size(part(edits, "nodes"));
    if (mkdir(HOUSE_PARTS, 0755) != 0)
        return failed(err, "folder", HOUSE_PARTS);
    for (size_t i = 0; i < k->n; i++) {
        unsigned long flags = i < nodes ? MS_NOSUID | MS_NOEXEC : MS_RDONLY | MS_NOSUID | MS_NODEV;
        if (!bind(k, i, flags))
            return failed(err, "mount of",
                          i < nodes ? word(part(edits, "nodes"), i, 0)
                                    : word(part(edits, "files"), i - nodes, 0));
    }
    return make_folder(part(edits, "files"), part(edits, "links"), err);
}

/*
 * The folder, then each file in it. Not one recursive mount: crun 1.8 leaves out what is mounted
 * below a mount, and runc may not bind a folder without what is mounted below it.
 */
static void card_spec_libraries(const json_t *files, size_t first, json_t *mounts)
{
    char from[64];
    char to[256];
    json_array_append_new(mounts,
                          json_pack("{s:s, s:s, s:s, s:[s,s,s,s]}", "destination",
                                    "/usr/local/nvidia", "type", "bind", "source", HOUSE_CARD,
                                    "options", "bind", "ro", "nosuid", "nodev"));
    for (size_t i = 0; i < json_array_size(files); i++) {
        snprintf(from, sizeof(from), HOUSE_PARTS "/%zu", first + i);
        snprintf(to, sizeof(to), CARD_LIBRARIES "/%.200s", word(files, i, 1));
        json_array_append_new(mounts, json_pack("{s:s, s:s, s:s, s:[s,s,s,s]}", "destination", to,
                                                "type", "bind", "source", from, "options", "bind",
                                                "ro", "nosuid", "nodev"));
    }
}

void card_spec_mounts(const json_t *edits, json_t *mounts)
{
    char from[64];
    const json_t *nodes = part(edits, "nodes");
    for (size_t i = 0; edits && i < json_array_size(nodes); i++) {
        snprintf(from, sizeof(from), HOUSE_PARTS "/%zu", i);
        json_array_append_new(mounts, json_pack("{s:s, s:s, s:s, s:[s,s,s,s]}", "destination",
                                                word(nodes, i, 1), "type", "bind", "source", from,
                                                "options", "bind", "rw", "nosuid", "noexec"));
    }
    if (edits && json_array_size(part(edits, "files")) > 0)
        card_spec_libraries(part(edits, "files"), json_array_size(nodes), mounts);
    if (edits && json_is_true(part(edits, "sysfs")))
        json_array_append_new(mounts, json_pack("{s:s, s:s, s:s, s:[s,s,s,s]}", "destination",
                                                "/sys", "type", "sysfs", "source", "sysfs",
                                                "options", "ro", "nosuid", "noexec", "nodev"));
}

void card_spec_devices(const json_t *edits, json_t *devices)
{
    const json_t *nodes = part(edits, "nodes");
    for (size_t i = 0; edits && i < json_array_size(nodes); i++) {
        char path[64];
        struct stat st;
        /* The mounted node: another of its name may stand on the host by now. */
        snprintf(path, sizeof(path), HOUSE_PARTS "/%zu", i);
        if (stat(path, &st) != 0 || !S_ISCHR(st.st_mode))
            continue; /* no rule, so the container cannot open it */
        json_array_append_new(devices, json_pack("{s:b, s:s, s:i, s:i, s:s}", "allow", 1, "type",
                                                 "c", "major", (int)major(st.st_rdev), "minor",
                                                 (int)minor(st.st_rdev), "access", "rw"));
    }
}
