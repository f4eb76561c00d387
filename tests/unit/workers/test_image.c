/* SPDX-License-Identifier: MIT */
/* The image store: what ends it early, and what it does not take away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <archive.h>
#include <archive_entry.h>
#include <cmocka.h>

#include "lib/hash.h"
#include "lib/hex.h"
#include "workers/image/blobs.h"
#include "workers/image/evict.h"
#include "workers/image/image.h"
#include "workers/image/unpack.h"

#define MIB ((int64_t)1 << 20)

/* ---- archives ---- */

static void add(struct archive *a, const char *name, const void *p, int64_t n)
{
    static const char zeros[65536];
    struct archive_entry *e = archive_entry_new();
    archive_entry_set_pathname(e, name);
    archive_entry_set_filetype(e, AE_IFREG);
    archive_entry_set_perm(e, 0644);
    archive_entry_set_size(e, n);
    assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
    for (int64_t done = 0; done < n;) {
        size_t part = n - done < (int64_t)sizeof(zeros) ? (size_t)(n - done) : sizeof(zeros);
        const char *from = p ? (const char *)p + done : zeros;
        assert_int_equal(archive_write_data(a, from, part), part);
        done += (int64_t)part;
    }
    archive_entry_free(e);
}

static struct archive *tar_to(int fd, bool packed)
{
    struct archive *a = archive_write_new();
    archive_write_set_format_ustar(a);
    if (packed)
        archive_write_add_filter_zstd(a);
    assert_int_equal(archive_write_open_fd(a, fd), ARCHIVE_OK);
    return a;
}

static void tar_done(struct archive *a)
{
    assert_int_equal(archive_write_close(a), ARCHIVE_OK);
    archive_write_free(a);
}

static const char *base(void)
{
    const char *tmp = getenv("OGPU_TEST_TMP");
    return tmp ? tmp : "/tmp";
}

static int scratch(void)
{
    int fd = open(base(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return fd;
}

/* A layer of one entry: so many bytes that nobody wants, of a kilobyte or so when packed. */
static int bomb(int64_t size)
{
    int fd = scratch();
    struct archive *a = tar_to(fd, true);
    add(a, "usr/.wh.bomb", NULL, size);
    tar_done(a);
    return fd;
}

/* ---- one image ---- */

struct bench {
    char dir[256];
    struct image_store store;
    int archive;
    char blob[65];
    char digest[72];
    struct image_want want;
    unsigned asked;
    unsigned patience;
};

static enum err_code fetch(void *ctx, const char *sha256_hex, int fd, int64_t max, struct err *err)
{
    const struct bench *b = ctx;
    char bytes[65536];
    ssize_t n;
    (void)sha256_hex;
    (void)max;
    for (off_t at = 0; (n = pread(b->archive, bytes, sizeof(bytes), at)) > 0; at += n) {
        if (write(fd, bytes, (size_t)n) != n)
            return err_set(err, E_IO, "no room");
    }
    return E_OK;
}

static bool stop(void *ctx)
{
    struct bench *b = ctx;
    return ++b->asked > b->patience;
}

static void name_of(const void *p, size_t n, char hex[65])
{
    struct digest d = sha256(p, n);
    hex_encode(d.b, sizeof(d.b), hex);
}

static void add_blob(struct archive *a, const void *p, size_t n, char hex[65])
{
    char name[96];
    name_of(p, n, hex);
    snprintf(name, sizeof(name), "blobs/sha256/%s", hex);
    add(a, name, p, (int64_t)n);
}

/* The archive of an image with this one layer. */
static void make_archive(struct bench *b, int layer)
{
    static char bytes[1 << 20];
    static const char config[] = "{\"config\":{\"Cmd\":[\"/x\"]}}";
    char hex[65];
    char config_hex[65];
    char text[1024];
    int64_t size;
    struct err err;
    ssize_t n = pread(layer, bytes, sizeof(bytes), 0);
    assert_true(n > 0 && n < (ssize_t)sizeof(bytes));
    b->archive = scratch();
    struct archive *a = tar_to(b->archive, false);
    add_blob(a, bytes, (size_t)n, hex);
    add_blob(a, config, strlen(config), config_hex);
    snprintf(text, sizeof(text),
             "{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:%s\"},\"layers\":[{\"digest\":"
             "\"sha256:%s\",\"mediaType\":\"application/vnd.oci.image.layer.v1.tar+zstd\"}]}",
             config_hex, hex);
    add_blob(a, text, strlen(text), hex);
    tar_done(a);
    snprintf(b->digest, sizeof(b->digest), "sha256:%s", hex);
    assert_int_equal(blobs_hash(b->archive, b->blob, &size, &err), E_OK);
    b->want = (struct image_want){.digest = b->digest,
                                  .blob = b->blob,
                                  .fetch = fetch,
                                  .fetch_ctx = b,
                                  .stop = stop,
                                  .stop_ctx = b};
}

static void begin(struct bench *b, int64_t cache_bytes)
{
    struct image_limits limits = {.packed_bytes = 64 * MIB,
                                  .unpacked_bytes = 128 * MIB,
                                  .entries = 1000,
                                  .cache_bytes = cache_bytes};
    struct err err;
    *b = (struct bench){.archive = -1};
    snprintf(b->dir, sizeof(b->dir), "%s/ogpu-image-XXXXXX", base());
    assert_non_null(mkdtemp(b->dir));
    assert_int_equal(image_store_open(&b->store, b->dir, &limits, &err), E_OK);
}

static void end(const struct bench *b)
{
    int tmp = open(base(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(unpack_remove(tmp, strrchr(b->dir, '/') + 1));
    close(tmp);
    if (b->archive >= 0)
        close(b->archive);
}

static enum err_code get(struct bench *b)
{
    struct arena *arena = arena_new();
    struct image image = {.hold = -1};
    struct err err;
    enum err_code rc = image_get(&b->store, &b->want, &image, arena, &err);
    if (rc == E_OK)
        image_release(&image);
    arena_free(arena);
    return rc;
}

/* ---- the tests ---- */

/* 128 MiB that are passed by, all of them allowed: it is asked about them and ends when told to. */
static void test_stop_while_unpacking(void **state)
{
    struct bench b;
    (void)state;
    int layer = bomb(128 * MIB);
    begin(&b, 0);
    make_archive(&b, layer);
    b.patience = 100; /* 64 KiB each: long before the end */
    assert_int_equal(get(&b), E_TIMEOUT);
    assert_int_equal(b.asked, 101);
    b.patience = UINT32_MAX;
    assert_int_equal(get(&b), E_OK); /* nothing half made is in the way */
    close(layer);
    end(&b);
}

static int hold_lock(const struct bench *b)
{
    char path[IMAGE_PATH_MAX];
    snprintf(path, sizeof(path), "%s/locks/%s", b->dir, b->digest + 7);
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    return fd;
}

/* Somebody else makes the same image, and does not come to an end. */
static void test_stop_while_waiting(void **state)
{
    struct bench b;
    (void)state;
    int layer = bomb(1);
    begin(&b, 0);
    make_archive(&b, layer);
    int lock = hold_lock(&b);
    b.patience = 2;
    alarm(60); /* who waits for ever ends here */
    assert_int_equal(get(&b), E_TIMEOUT);
    alarm(0);
    assert_int_equal(b.asked, 3);
    close(lock);
    b.patience = UINT32_MAX;
    assert_int_equal(get(&b), E_OK);
    close(layer);
    end(&b);
}

struct hanging {
    struct bench b; /* its own patience and want, another's image */
    int begun[2];
    int over[2];
    enum err_code end;
};

/* Of a place that takes the question and never answers. */
static enum err_code hang(void *ctx, const char *sha256_hex, int fd, int64_t max, struct err *err)
{
    const struct hanging *h = ctx;
    char c;
    (void)sha256_hex;
    (void)fd;
    (void)max;
    assert_int_equal(write(h->begun[1], "", 1), 1);
    assert_int_equal(read(h->over[0], &c, 1), 1);
    return err_set(err, E_PEER, "never mind");
}

static void *get_hanging(void *ctx)
{
    struct hanging *h = ctx;
    h->end = get(&h->b);
    return NULL;
}

/* Whoever names an image of somebody else and does not send it keeps nobody else waiting. */
static void test_another_place_is_not_waited_for(void **state)
{
    struct bench b;
    struct hanging h;
    pthread_t thread;
    char c;
    (void)state;
    int layer = bomb(1);
    begin(&b, 0);
    make_archive(&b, layer);
    b.patience = 100;
    h.b = b;
    h.b.want.blob = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    h.b.want.fetch = hang;
    h.b.want.fetch_ctx = &h;
    h.b.want.stop = NULL;
    assert_int_equal(pipe2(h.begun, O_CLOEXEC), 0);
    assert_int_equal(pipe2(h.over, O_CLOEXEC), 0);
    assert_int_equal(pthread_create(&thread, NULL, get_hanging, &h), 0);
    assert_int_equal(read(h.begun[0], &c, 1), 1);
    alarm(60);
    enum err_code rc = get(&b);
    alarm(0);
    assert_int_equal(write(h.over[1], "", 1), 1);
    pthread_join(thread, NULL);
    assert_int_equal(rc, E_OK);
    assert_int_equal(h.end, E_PEER);
    assert_int_equal(get(&b), E_OK); /* what failed took nothing away */
    for (int i = 0; i < 2; i++) {
        close(h.begun[i]);
        close(h.over[i]);
    }
    close(layer);
    end(&b);
}

/* What is passed by counts like what is written: 264 MiB of reading for a limit of 128. */
static void test_bounds_of_reading(void **state)
{
    static const int64_t sizes[] = {128 * MIB, 384 * MIB};
    static const enum err_code ends[] = {E_OK, E_TOO_LARGE};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct bench b;
        int layer = bomb(sizes[i]);
        begin(&b, 0);
        make_archive(&b, layer);
        b.patience = UINT32_MAX;
        assert_int_equal(get(&b), ends[i]);
        close(layer);
        end(&b);
    }
}

/* Who has found an image in the cache and not yet said that it looks at it: its lock says so. */
static void test_found_is_not_taken_away(void **state)
{
    struct bench b;
    (void)state;
    int layer = bomb(1);
    begin(&b, 1);
    make_archive(&b, layer);
    b.patience = UINT32_MAX;
    assert_int_equal(get(&b), E_OK);
    int lock = hold_lock(&b);
    assert_int_equal(evict_trim(&b.store, ""), 0);
    close(lock);
    assert_int_equal(evict_trim(&b.store, ""), 1);
    assert_int_equal(get(&b), E_OK);
    close(layer);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stop_while_unpacking),
        cmocka_unit_test(test_stop_while_waiting),
        cmocka_unit_test(test_another_place_is_not_waited_for),
        cmocka_unit_test(test_bounds_of_reading),
        cmocka_unit_test(test_found_is_not_taken_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
