/* SPDX-License-Identifier: MIT */
/* Which images of the cache go for want of room. The disk is real, the room that is asked for is
 * not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "workers/image/evict.h"

#define MORE_THAN_ANY_DISK ((int64_t)1 << 60)

static char dir[160];

static void at(char out[256], char image, const char *rest)
{
    char hex[65];
    memset(hex, image, 64);
    hex[64] = '\0';
    snprintf(out, 256, "%s/images/%s%s", dir, hex, rest);
}

static void make(char image)
{
    char path[256];
    at(path, image, "");
    assert_int_equal(mkdir(path, 0755), 0);
    evict_note(path, 1000);
    at(path, image, "/rootfs");
    assert_int_equal(mkdir(path, 0755), 0);
}

static bool is_there(char image)
{
    char path[256];
    at(path, image, "");
    return access(path, F_OK) == 0;
}

static int open_cache(void **state)
{
    static struct image_store st;
    const struct image_limits limits = {.cache_bytes = 0};
    struct err err;
    const char *tmp = getenv("OGPU_TEST_TMP");
    snprintf(dir, sizeof(dir), "%s/cache-XXXXXX", tmp ? tmp : "/tmp");
    *state = &st;
    return !mkdtemp(dir) || image_store_open(&st, dir, &limits, &err) != E_OK;
}

static void test_room(void **state)
{
    struct image_store *st = *state;
    char keep[65];
    memset(keep, 'b', 64);
    keep[64] = '\0';
    make('a');
    make('b');
    make('c');
    assert_int_equal(evict_if_short(st, ""), 0);
    st->limits.free_bytes = 1;
    assert_int_equal(evict_if_short(st, ""), 0);
    char rootfs[256];
    at(rootfs, 'c', "/rootfs");
    int held = evict_hold(rootfs);
    assert_true(held >= 0);
    st->limits.free_bytes = MORE_THAN_ANY_DISK;
    assert_int_equal(evict_if_short(st, keep), 1);
    assert_false(is_there('a'));
    assert_true(is_there('b') && is_there('c'));
    close(held);
    assert_int_equal(evict_if_short(st, keep), 1);
    assert_true(is_there('b') && !is_there('c'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_room)};
    return cmocka_run_group_tests(tests, open_cache, NULL);
}
