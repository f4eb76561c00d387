/* SPDX-License-Identifier: MIT */
/* What is decided about cards without any: error events, variables, names of libraries, locks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/err.h"
#include "workers/device/edits.h"
#include "workers/device/fault.h"
#include "workers/device/lock.h"
#include "workers/device/quarantine.h"

static void test_faults(void **state)
{
    static const int programs[] = {8, 11, 13, 14, 24, 25, 31, 37, 43, 45, 66, 67, 68, 69, 137};
    static const int cards[] = {32, 46, 48,  62,  63,  64,  74, 79,   80, 92,
                                94, 95, 109, 119, 120, 140, 1,  9999, -1};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(programs); i++)
        assert_true(fault_of_xid(programs[i])->program);
    for (size_t i = 0; i < ARRAY_LEN(cards); i++)
        assert_false(fault_of_xid(cards[i])->program);
}

/* What follows from a card's fault does not hide it; what a program began may still become one. */
static void test_graver(void **state)
{
    static const int cards[] = {48, 62, 74, 79, 119, 9999};
    static const int programs[] = {13, 31, 43, 45};
    (void)state;
    for (size_t c = 0; c < ARRAY_LEN(cards); c++) {
        assert_int_equal(fault_graver(0, cards[c]), cards[c]);
        for (size_t p = 0; p < ARRAY_LEN(programs); p++) {
            assert_int_equal(fault_graver(cards[c], programs[p]), cards[c]);
            assert_int_equal(fault_graver(programs[p], cards[c]), cards[c]);
        }
    }
    assert_int_equal(fault_graver(0, 13), 13);
    assert_int_equal(fault_graver(13, 43), 13);
    assert_int_equal(fault_graver(79, 48), 79);
}

static void test_variables(void **state)
{
    static const char *const good[] = {"PATH=/bin",        "LD_LIBRARY_PATH=/a:/b/c", "LD_PRELOAD=",
                                       "LD_LIBRARY_PATH=", "XLD_PRELOAD=/x",          "nothing"};
    static const char *const bad[] = {
        "LD_PRELOAD=x",        "LD_AUDIT=/x",         "LD_LIBRARY_PATH=lib",
        "LD_LIBRARY_PATH=/a:", "LD_LIBRARY_PATH=:/a", "LD_LIBRARY_PATH=/a::/b",
        "LD_LIBRARY_PATH=/a:b"};
    struct err err;
    (void)state;
    assert_int_equal(edits_judge(good, ARRAY_LEN(good), &err), E_OK);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(edits_judge(&bad[i], 1, &err), E_BAD_MANIFEST);
}

static void test_environment(void **state)
{
    struct arena *a = arena_new();
    const char *env[4] = {"LD_LIBRARY_PATH=/own", "CUDA_VISIBLE_DEVICES=all"};
    size_t n = 2;
    json_t *edits = edits_new();
    (void)state;
    edits_set(edits, "CUDA_VISIBLE_DEVICES", "GPU-1");
    edits_set(edits, "NVIDIA_X", "1");
    assert_true(edits_environment(NULL, env, 4, &n, a));
    assert_int_equal(n, 2);
    assert_true(edits_environment(edits, env, 4, &n, a));
    assert_int_equal(n, 3);
    assert_string_equal(env[0], "LD_LIBRARY_PATH=/own");
    assert_string_equal(env[1], "CUDA_VISIBLE_DEVICES=GPU-1");
    json_array_append_new(json_object_get(edits, "files"), json_pack("[s, s]", "/x", "libx.so.1"));
    assert_true(edits_environment(edits, env, 4, &n, a));
    assert_string_equal(env[0], "LD_LIBRARY_PATH=/usr/local/nvidia/lib64:/own");
    edits_set(edits, "NVIDIA_Y", "1");
    edits_set(edits, "NVIDIA_Z", "1");
    assert_false(edits_environment(edits, env, 4, &n, a));
    json_decref(edits);
    arena_free(a);
}

/* What has no SONAME has none; noise leads nowhere outside of the file. */
static void test_soname(void **state)
{
    char name[64] = "untouched";
    char path[] = "/tmp/soname-XXXXXX";
    unsigned char noise[4096];
    FILE *self = fopen("/proc/self/exe", "re");
    (void)state;
    assert_false(soname_of("/proc/self/exe", name, sizeof(name)));
    assert_false(soname_of("/nowhere", name, sizeof(name)));
    assert_false(soname_of("/dev/null", name, sizeof(name)));
    assert_string_equal(name, "untouched");
    /* The head of a real program, with every byte after the magic turned around in turn. */
    assert_non_null(self);
    assert_int_equal(fread(noise, 1, sizeof(noise), self), sizeof(noise));
    fclose(self);
    int fd = mkstemp(path);
    for (size_t i = 4; i < 512; i++) {
        noise[i] = (unsigned char)~noise[i];
        assert_int_equal(pwrite(fd, noise, sizeof(noise), 0), sizeof(noise));
        (void)soname_of(path, name, sizeof(name)); /* whatever it says, it stays inside the file */
        noise[i] = (unsigned char)~noise[i];
    }
    close(fd);
    unlink(path);
}

static void test_locks(void **state)
{
    char dir[] = "/tmp/locks-XXXXXX";
    char path[128];
    bool clean = true;
    (void)state;
    assert_non_null(mkdtemp(dir));
    int lock = lock_take(dir, "MIG-GPU-1/7/0", &clean);
    assert_true(lock >= 0);
    assert_false(clean);
    assert_true(lock_is_held(dir, "MIG-GPU-1/7/0"));
    assert_int_equal(lock_take(dir, "MIG-GPU-1/7/0", &clean), -1);
    assert_true(lock_mark(lock, true));
    lock_drop(lock);
    assert_false(lock_is_held(dir, "MIG-GPU-1/7/0"));
    lock = lock_take(dir, "MIG-GPU-1/7/0", &clean);
    assert_true(clean);
    assert_true(lock_mark(lock, false));
    lock_drop(lock);
    lock = lock_take(dir, "MIG-GPU-1/7/0", &clean);
    assert_false(clean);
    lock_drop(lock);
    quarantine_path(dir, "MIG-GPU-1/7/0", ".lock", path, sizeof(path));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void test_quarantine(void **state)
{
    char dir[] = "/tmp/quarantine-XXXXXX";
    struct device_fault fault = {.code = "xid", .text = "XID 79: \"gone\"", .at_us = 5};
    struct device_fault back;
    struct err err;
    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_false(quarantine_get(dir, "GPU-1", &back));
    assert_int_equal(quarantine_put(dir, "GPU-1", &fault, &err), E_OK);
    assert_true(quarantine_get(dir, "GPU-1", &back));
    assert_string_equal(back.code, "xid");
    assert_string_equal(back.text, fault.text);
    assert_int_equal(back.at_us, 5);
    assert_false(quarantine_get(dir, "../GPU-1", NULL));
    assert_int_equal(quarantine_clear(dir, "GPU-1", &err), E_OK);
    assert_int_equal(quarantine_clear(dir, "GPU-1", &err), E_NOT_FOUND);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults),      cmocka_unit_test(test_variables),
        cmocka_unit_test(test_environment), cmocka_unit_test(test_soname),
        cmocka_unit_test(test_locks),       cmocka_unit_test(test_quarantine),
        cmocka_unit_test(test_graver),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
