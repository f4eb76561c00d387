/* SPDX-License-Identifier: MIT */
/* How deep an image's folders may be, what they cost, and that no depth is too deep to remove. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>

#include "workers/image/inside.h"
#include "workers/image/unpack.h"

#define LEVELS 60 /* of one entry; 64 are allowed */

/* ---- a folder and a layer ---- */

struct bench {
    char dir[256];
    int base;
    int root;
    int layer;
    struct archive *tar;
    struct err err;
};

static void begin(struct bench *b)
{
    const char *tmp = getenv("OGPU_TEST_TMP");
    *b = (struct bench){.root = -1};
    snprintf(b->dir, sizeof(b->dir), "%s/ogpu-inside-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(b->dir));
    b->base = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdirat(b->base, "rootfs", 0755), 0);
    b->root = openat(b->base, "rootfs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    b->layer = open(b->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    assert_true(b->base >= 0 && b->root >= 0 && b->layer >= 0);
    b->tar = archive_write_new();
    archive_write_set_format_pax_restricted(b->tar);
    assert_int_equal(archive_write_open_fd(b->tar, b->layer), ARCHIVE_OK);
}

static void end(const struct bench *b)
{
    close(b->layer);
    close(b->root);
    close(b->base);
    assert_int_equal(rmdir(b->dir), 0);
}

/* A folder, or a link when `to` is there. */
static void add(struct bench *b, const char *name, const char *to)
{
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, name);
    archive_entry_set_filetype(e, to ? AE_IFLNK : AE_IFDIR);
    archive_entry_set_perm(e, 0755);
    archive_entry_set_uid(e, geteuid());
    archive_entry_set_gid(e, getegid());
    if (to)
        archive_entry_set_symlink(e, to);
    assert_int_equal(archive_write_header(b->tar, e), ARCHIVE_OK);
    archive_entry_free(e);
}

static enum err_code unpack(struct bench *b, struct unpack_budget *budget)
{
    assert_int_equal(archive_write_close(b->tar), ARCHIVE_OK);
    archive_write_free(b->tar);
    return unpack_layer(b->root, b->layer, false, budget, &b->err);
}

/* "from/d/d/…" */
static const char *below(const char *from, char out[256])
{
    int n = snprintf(out, 256, "%s", from);
    for (int i = 0; i < LEVELS; i++)
        n += snprintf(out + n, 256 - (size_t)n, "%sd", n ? "/" : "");
    return out;
}

static rlim_t allow_files(rlim_t n)
{
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    struct rlimit now = {n, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &now), 0);
    return old.rlim_cur;
}

/* ---- the tests ---- */

/* Each entry's path is short; through the links each begins where the one before ended. */
static void test_links_make_nothing_deeper(void **state)
{
    struct bench b;
    char path[256];
    char name[16];
    char before[16] = "";
    struct unpack_budget budget = {1 << 20, 10000, {64 << 20, NULL, NULL}};
    (void)state;
    begin(&b);
    for (int i = 0; i < 12; i++) {
        add(&b, below(before, path), NULL);
        snprintf(name, sizeof(name), "s%d", i);
        add(&b, name, path);
        memcpy(before, name, sizeof(before));
    }
    rlim_t old = allow_files(256);
    enum err_code rc = unpack(&b, &budget);
    bool gone = unpack_remove(b.base, "rootfs");
    allow_files(old);
    assert_int_equal(rc, E_BAD_MANIFEST);
    assert_non_null(strstr(b.err.text, "too deep"));
    assert_true(gone);
    end(&b);
}

/* What one entry makes on its way counts as if the image had named it. */
static void test_folders_on_the_way_are_counted(void **state)
{
    static const int64_t entries[] = {200, 100 * LEVELS};
    static const enum err_code ends[] = {E_TOO_LARGE, E_OK};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
        struct bench b;
        char path[256];
        char name[16];
        struct unpack_budget budget = {1 << 20, entries[i] + 100, {64 << 20, NULL, NULL}};
        begin(&b);
        for (int k = 0; k < 100; k++) {
            snprintf(name, sizeof(name), "f%d", k);
            add(&b, below(name, path), NULL);
        }
        assert_int_equal(unpack(&b, &budget), ends[i]);
        assert_true(budget.entries <= 0);
        assert_true(unpack_remove(b.base, "rootfs"));
        end(&b);
    }
}

/* A folder with a file and a folder with a file and …, and beside each a name that removal takes
 * for itself on the way. */
static void make_deep(int root, int levels)
{
    int at = dup(root);
    for (int i = 0; i < levels; i++) {
        int fd = openat(at, "file", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        close(fd);
        assert_int_equal(symlinkat("/etc", at, "link"), 0);
        assert_int_equal(mkdirat(at, i % 2 ? "0" : "deeper", 0700), 0);
        int next = openat(at, i % 2 ? "0" : "deeper", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(next >= 0);
        if (i % 3 == 1) /* who is not root minds the modes of folders */
            assert_int_equal(fchmod(at, 0500), 0);
        close(at);
        at = next;
    }
    close(at);
}

struct removal {
    int base;
    bool ok;
};

static void *remove_rootfs(void *ctx)
{
    struct removal *r = ctx;
    r->ok = unpack_remove(r->base, "rootfs");
    return NULL;
}

static void test_no_depth_is_too_deep_to_remove(void **state)
{
    struct bench b;
    pthread_t thread;
    pthread_attr_t small;
    (void)state;
    begin(&b);
    archive_write_free(b.tar);
    make_deep(b.root, 3000);
    struct removal r = {b.base, false};
    pthread_attr_init(&small);
    assert_int_equal(pthread_attr_setstacksize(&small, 65536), 0);
    rlim_t old = allow_files(64);
    assert_int_equal(pthread_create(&thread, &small, remove_rootfs, &r), 0);
    pthread_join(thread, NULL);
    allow_files(old);
    pthread_attr_destroy(&small);
    assert_true(r.ok);
    assert_int_equal(faccessat(b.base, "rootfs", F_OK, 0), -1);
    end(&b);
}

/* A folder that stays loses all that it holds, and nothing beside it. */
static void test_empty(void **state)
{
    struct bench b;
    (void)state;
    begin(&b);
    archive_write_free(b.tar);
    assert_int_equal(mkdirat(b.base, "other", 0755), 0);
    make_deep(b.root, 5);
    assert_true(inside_empty(b.root));
    assert_int_equal(unlinkat(b.base, "rootfs", AT_REMOVEDIR), 0);
    assert_int_equal(unlinkat(b.base, "other", AT_REMOVEDIR), 0);
    assert_false(unpack_remove(b.base, "other"));
    assert_int_equal(errno, ENOENT);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_links_make_nothing_deeper),
        cmocka_unit_test(test_folders_on_the_way_are_counted),
        cmocka_unit_test(test_no_depth_is_too_deep_to_remove),
        cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
