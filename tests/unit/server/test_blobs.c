/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/hash.h"
#include "lib/hex.h"
#include "server/blobs.h"

static char dir[256];
static struct blobs *blobs;

static int setup(void **state)
{
    const char *tmp = getenv("OGPU_TEST_TMP");

    (void)state;
    snprintf(dir, sizeof(dir), "%s/blobs-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(dir) && blobs_open(dir, &blobs, NULL) == E_OK ? 0 : -1;
}

static int teardown(void **state)
{
    char command[512];

    (void)state;
    blobs_close(blobs);
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    return system(command);
}

static struct blob_writer *begin(void)
{
    struct blob_writer *w;

    assert_int_equal(blob_begin(blobs, &w, NULL), E_OK);
    return w;
}

static int temporaries(void)
{
    char path[300];
    DIR *d;
    struct dirent *e;
    int n = 0;

    snprintf(path, sizeof(path), "%s/tmp", dir);
    d = opendir(path);
    assert_non_null(d);
    /* cppcheck-suppress readdirCalled ; one thread */
    while ((e = readdir(d)))
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static struct digest put(const char *text)
{
    struct blob_writer *w = begin();
    struct digest d;

    assert_int_equal(blob_write(w, text, strlen(text), NULL), E_OK);
    assert_int_equal(blob_commit(w, NULL, &d, NULL), E_OK);
    return d;
}

static void keeps_bytes_under_their_digest(void **state)
{
    struct digest want = sha256("hello world", 11);
    struct blob_writer *w = begin();
    struct digest got;
    char bytes[32];
    int64_t size;
    int fd;

    (void)state;
    assert_int_equal(blob_write(w, "hello ", 6, NULL), E_OK);
    assert_int_equal(blob_write(w, "world", 5, NULL), E_OK);
    assert_int_equal(blob_written(w), 11);
    assert_int_equal(blob_open(blobs, &want, &fd, &size, NULL), E_BLOB_NOT_FOUND);
    assert_int_equal(blob_commit(w, &want, &got, NULL), E_OK);
    assert_memory_equal(got.b, want.b, 32);
    assert_int_equal(blob_open(blobs, &want, &fd, &size, NULL), E_OK);
    assert_int_equal(size, 11);
    assert_int_equal(read(fd, bytes, sizeof(bytes)), 11);
    assert_memory_equal(bytes, "hello world", 11);
    close(fd);
    assert_int_equal(temporaries(), 0);
}

static void refuses_other_bytes_and_leaves_nothing(void **state)
{
    struct digest want = sha256("a", 1);
    struct blob_writer *w = begin();
    int fd;

    (void)state;
    assert_int_equal(blob_write(w, "b", 1, NULL), E_OK);
    assert_int_equal(blob_commit(w, &want, NULL, NULL), E_DIGEST_MISMATCH);
    assert_int_equal(blob_open(blobs, &want, &fd, NULL, NULL), E_BLOB_NOT_FOUND);
    assert_int_equal(temporaries(), 0);
}

static void a_dropped_upload_leaves_nothing(void **state)
{
    struct blob_writer *w = begin();

    (void)state;
    assert_int_equal(blob_write(w, "x", 1, NULL), E_OK);
    assert_int_equal(temporaries(), 1);
    blob_drop(w);
    blob_drop(NULL);
    assert_int_equal(temporaries(), 0);
}

static void a_reader_keeps_its_bytes_when_they_come_again(void **state)
{
    struct digest d = put("twice");
    char bytes[8];
    int fd;

    (void)state;
    assert_int_equal(blob_open(blobs, &d, &fd, NULL, NULL), E_OK);
    put("twice");
    assert_int_equal(read(fd, bytes, sizeof(bytes)), 5);
    close(fd);
    put("");
}

static void removes_only_what_is_old_enough(void **state)
{
    struct digest d = put("young");
    struct digest none = sha256("none", 4);
    int fd;

    (void)state;
    assert_int_equal(blob_remove(blobs, &d, 60, NULL), E_OK);
    assert_int_equal(blob_open(blobs, &d, &fd, NULL, NULL), E_OK);
    close(fd);
    assert_int_equal(blob_remove(blobs, &d, -1, NULL), E_OK);
    assert_int_equal(blob_open(blobs, &d, &fd, NULL, NULL), E_BLOB_NOT_FOUND);
    assert_int_equal(blob_remove(blobs, &none, 0, NULL), E_OK);
}

static void never_follows_a_planted_link(void **state)
{
    struct digest d = put("linked");
    char hex[65];
    char path[400];
    int fd;

    (void)state;
    hex_encode(d.b, sizeof(d.b), hex);
    snprintf(path, sizeof(path), "%s/%.2s/%s", dir, hex, hex);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/etc/hostname", path), 0);
    assert_int_equal(blob_open(blobs, &d, &fd, NULL, NULL), E_IO);
}

static void sweeps_old_leftovers_at_start(void **state)
{
    char path[300];
    struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    struct blobs *again;

    (void)state;
    snprintf(path, sizeof(path), "%s/tmp/crashed", dir);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(blobs_open(dir, &again, NULL), E_OK);
    blobs_close(again);
    assert_int_equal(temporaries(), 1); /* it may be an upload in progress of another gateway */
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    assert_int_equal(blobs_open(dir, &again, NULL), E_OK);
    blobs_close(again);
    assert_int_equal(temporaries(), 0);
}

static void says_what_is_wrong_with_the_folder(void **state)
{
    struct err err = {.code = E_OK};
    struct blobs *b;

    (void)state;
    assert_int_equal(blobs_open("", &b, &err), E_CONFIG);
    assert_int_equal(blobs_open("/nowhere/at/all", &b, &err), E_CONFIG);
    assert_non_null(strstr(err.text, "/nowhere/at/all"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_bytes_under_their_digest),
        cmocka_unit_test(refuses_other_bytes_and_leaves_nothing),
        cmocka_unit_test(a_dropped_upload_leaves_nothing),
        cmocka_unit_test(a_reader_keeps_its_bytes_when_they_come_again),
        cmocka_unit_test(removes_only_what_is_old_enough),
        cmocka_unit_test(never_follows_a_planted_link),
        cmocka_unit_test(sweeps_old_leftovers_at_start),
        cmocka_unit_test(says_what_is_wrong_with_the_folder),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
