/* SPDX-License-Identifier: MIT */
#include "workers/contain/house.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/magic.h>

#include "workers/contain/card.h"
#include "workers/image/evict.h"

static enum err_code failed(struct err *err, const char *step)
{
    return err_set(err, E_IO, "cannot prepare the container: %s: %s", step, strerror(errno));
}

static bool write_map(pid_t pid, const char *file, uint32_t base)
{
    char path[64];
    char line[64];
    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
    int n = snprintf(line, sizeof(line), "0 %u %u\n", base, BOX_IDS);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool ok = fd >= 0 && write(fd, line, (size_t)n) == n;
    if (fd >= 0)
        close(fd);
    return ok;
}

/* A user namespace whose only use is its id map; -1 with errno. */
static int map_fd(uint32_t base)
{
    int ready[2];
    int done[2];
    if (pipe2(ready, O_CLOEXEC) != 0)
        return -1;
    if (pipe2(done, O_CLOEXEC) != 0) {
        close(ready[0]);
        close(ready[1]);
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0) {
        char c = unshare(CLONE_NEWUSER) == 0 ? 1 : 0;
        close(done[1]);
        if (write(ready[1], &c, 1) != 1 || read(done[0], &c, 1) < 0)
            _exit(1);
        _exit(0);
    }
    close(ready[1]);
    close(done[0]);
    char ok = 0;
    int fd = -1;
    if (pid > 0 && read(ready[0], &ok, 1) == 1 && ok == 1 && write_map(pid, "uid_map", base) &&
        write_map(pid, "gid_map", base)) {
        char path[64];
        snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    close(ready[0]);
    close(done[1]);
    if (pid > 0)
        waitpid(pid, NULL, 0);
    return fd;
}

/*
 * The image belongs to ids 0.. on disk; mounted through the slot's map, container root owns what
 * image root owns. Where the file system cannot be idmapped the plain mount serves what is readable
 * to everybody: less works, nothing is less safe.
 */
static enum err_code mount_rootfs(int tree, uint32_t uid_base, struct err *err)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV};
    int map = map_fd(uid_base);
    struct mount_attr mapped = attr;
    mapped.attr_set |= MOUNT_ATTR_IDMAP;
    mapped.userns_fd = map >= 0 ? (__u64)map : 0;
    bool ok = map >= 0 && mount_setattr(tree, "", AT_EMPTY_PATH, &mapped, sizeof(mapped)) == 0;
    if (!ok)
        ok = mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) == 0;
    if (ok)
        ok = move_mount(tree, "", AT_FDCWD, HOUSE_ROOTFS, MOVE_MOUNT_F_EMPTY_PATH) == 0;
    int saved = errno;
    if (map >= 0)
        close(map);
    errno = saved;
    return ok ? E_OK : failed(err, "mount of the image");
}

static enum err_code mount_out(const struct box_spec *spec, struct err *err)
{
    char options[160];
    snprintf(options, sizeof(options), "size=%lld,nr_inodes=%lld,mode=0700,uid=%u,gid=%u",
             (long long)spec->limits.output_bytes + 65536,
             (long long)spec->limits.output_files * 4 + 64, spec->uid_base + spec->uid,
             spec->uid_base + spec->gid);
    if (mount("tmpfs", HOUSE_OUT, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) != 0)
        return failed(err, "tmpfs of /out");
    return E_OK;
}

/* What must be found before /run is covered, for the cache may lie below it. */
struct kept {
    int rootfs;
    int inputs[BOX_INPUTS_MAX];
    size_t n;
    int caches[BOX_CACHES_MAX]; /* -1: it has none */
    size_t cached;
    struct card_kept card;
};

static void let_go(struct kept *k)
{
    if (k->rootfs >= 0)
        close(k->rootfs);
    for (size_t i = 0; i < k->n; i++)
        close(k->inputs[i]);
    for (size_t i = 0; i < k->cached; i++) {
        if (k->caches[i] >= 0)
            close(k->caches[i]);
    }
    card_let_go(&k->card);
}

static enum err_code keep(const struct box_spec *spec, struct kept *k, struct err *err)
{
    k->rootfs = open_tree(AT_FDCWD, spec->rootfs, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (k->rootfs < 0)
        return failed(err, "folder of the image");
    for (; k->n < spec->input_count; k->n++) {
        int fd = open(spec->inputs[k->n].path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            return failed(err, "an input file");
        k->inputs[k->n] = fd;
    }
    for (; k->cached < spec->cache_count; k->cached++) {
        const char *path = spec->caches[k->cached].path;
        k->caches[k->cached] =
            path[0] ? open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC) : -1;
        if (path[0] && k->caches[k->cached] < 0)
            return failed(err, "folder of a volume");
    }
    return card_keep(spec->card, &k->card, err);
}

static bool make_file(const char *path)
{
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/*
 * The files lie apart, and /in gets empty ones for them to be mounted on: crun 1.8 leaves out what
 * is mounted below a mount, and runc may not bind a folder without it.
 */
static enum err_code mount_inputs(const struct box_spec *spec, const struct kept *k,
                                  struct err *err)
{
    for (size_t i = 0; i < k->n; i++) {
        char place[256];
        char path[64];
        char from[64];
        snprintf(place, sizeof(place), HOUSE_IN "/%s", spec->inputs[i].name);
        snprintf(path, sizeof(path), HOUSE_GIVEN "/%zu", i);
        snprintf(from, sizeof(from), "/proc/self/fd/%d", k->inputs[i]);
        if (!make_file(place) || !make_file(path))
            return failed(err, "place of an input file");
        unsigned long flags = MS_BIND | MS_REMOUNT | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY;
        if (mount(from, path, NULL, MS_BIND, NULL) != 0 ||
            mount(NULL, path, NULL, flags, NULL) != 0)
            return failed(err, "mount of an input file");
    }
    return E_OK;
}

/* Whoever filled a cache is not the source: no programs, no devices, nothing to write. */
static enum err_code mount_caches(const struct kept *k, struct err *err)
{
    struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                          MOUNT_ATTR_NOEXEC};
    for (size_t i = 0; i < k->cached; i++) {
        char path[64];
        if (k->caches[i] < 0)
            continue;
        snprintf(path, sizeof(path), HOUSE_CACHES "/%zu", i);
        if (mkdir(path, 0755) != 0 ||
            mount_setattr(k->caches[i], "", AT_EMPTY_PATH, &attr, sizeof(attr)) != 0 ||
            move_mount(k->caches[i], "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) != 0)
            return failed(err, "mount of a volume");
    }
    return E_OK;
}

static void hide_unified(void)
{
    struct statfs fs;
    /* crun 1.8 refuses a host where both cgroup versions are mounted, although v1 alone has what it
     * needs. */
    if (statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == TMPFS_MAGIC)
        umount2("/sys/fs/cgroup/unified", MNT_DETACH);
}

static enum err_code furnish(const struct box_spec *spec, const struct kept *k, struct err *err)
{
    static const char *const dirs[] = {HOUSE,       HOUSE_ROOTFS, HOUSE_OUT,   HOUSE_IN,
                                       HOUSE_GIVEN, HOUSE_STATE,  HOUSE_CACHES};
    if (mount("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "size=16m,mode=0755") != 0)
        return failed(err, "tmpfs of /run");
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        if (mkdir(dirs[i], 0755) != 0)
            return failed(err, dirs[i]);
    }
    enum err_code rc = mount_rootfs(k->rootfs, spec->uid_base, err);
    if (rc == E_OK)
        rc = mount_out(spec, err);
    if (rc == E_OK)
        rc = mount_inputs(spec, k, err);
    if (rc == E_OK)
        rc = mount_caches(k, err);
    if (rc == E_OK)
        rc = card_mount(spec->card, &k->card, err);
    return rc;
}

enum err_code house_build(const struct box_spec *spec, struct err *err)
{
    umask(022);
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return failed(err, "private mounts");
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0)
        return failed(err, "mount of /proc");
    hide_unified();
    /* Held for as long as this process lives: what runs is not evicted. */
    if (evict_hold(spec->rootfs) < 0)
        return failed(err, "lock of the image");
    struct kept k = {.rootfs = -1};
    enum err_code rc = keep(spec, &k, err);
    if (rc == E_OK)
        rc = furnish(spec, &k, err);
    let_go(&k);
    return rc;
}
