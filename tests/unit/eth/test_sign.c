/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "eth/address.h"
#include "eth/keccak.h"
#include "eth/sign.h"

#define KEY "00000000000000000000000000000000000000000000000000000000000000aB"

static char folder[256];
static char path[300];

static int setup(void **state)
{
    const char *tmp = getenv("TMPDIR");

    (void)state;
    snprintf(folder, sizeof(folder), "%s/ogpu-sign-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof(path), "%s/key", folder);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void put(const char *bytes, size_t n, mode_t mode)
{
    int fd;

    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), (ssize_t)n);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static enum err_code load(struct address *who)
{
    struct signer *s = NULL;
    struct err err;
    enum err_code rc = signer_load(path, &s, &err);

    if (rc == E_OK)
        *who = signer_address(s);
    else
        assert_null(strstr(err.text, "00000000")); /* a message never shows a key */
    signer_free(s);
    return rc;
}

static void test_forms_of_a_key_file(void **state)
{
    static const uint8_t raw[32] = {[31] = 0xab};
    struct address a;
    struct address b;

    (void)state;
    put((const char *)raw, sizeof(raw), 0600);
    assert_int_equal(load(&a), E_OK);
    put(KEY, 64, 0600);
    assert_int_equal(load(&b), E_OK);
    assert_true(address_eq(a, b));
    put(KEY "\n", 65, 0400);
    assert_int_equal(load(&b), E_OK);
    assert_true(address_eq(a, b));
    put("0x" KEY "\n", 67, 0600);
    assert_int_equal(load(&b), E_OK);
    assert_true(address_eq(a, b));
}

static void test_bad_contents(void **state)
{
    static const char zeros[32];
    struct address a;

    (void)state;
    put("", 0, 0600);
    assert_int_equal(load(&a), E_CONFIG);
    put(KEY, 63, 0600);
    assert_int_equal(load(&a), E_CONFIG);
    put(KEY "00", 66, 0600);
    assert_int_equal(load(&a), E_CONFIG);
    put("0x" KEY "\n\n", 68, 0600);
    assert_int_equal(load(&a), E_CONFIG);
    put(zeros, 32, 0600);
    assert_int_equal(load(&a), E_CONFIG);
    put("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        32, 0600);
    assert_int_equal(load(&a), E_CONFIG); /* beyond the order */
    put("zz00000000000000000000000000000000000000000000000000000000000000", 64, 0600);
    assert_int_equal(load(&a), E_CONFIG);
}

static void test_open_files_are_refused(void **state)
{
    static const mode_t bad[] = {0640, 0604, 0660, 0620, 0610, 0601, 0644, 0666, 0777};
    struct address a;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        put(KEY, 64, bad[i]);
        assert_int_equal(load(&a), E_CONFIG);
    }
}

static void test_only_regular_files(void **state)
{
    struct address a;
    char target[320];

    (void)state;
    put(KEY, 64, 0600);
    snprintf(target, sizeof(target), "%s/target", folder);
    assert_int_equal(rename(path, target), 0);
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(load(&a), E_CONFIG);
    unlink(path);
    unlink(target);
    assert_int_equal(load(&a), E_CONFIG); /* missing */
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(load(&a), E_CONFIG); /* and it does not hang */
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(load(&a), E_CONFIG);
    rmdir(path);
}

static void test_create(void **state)
{
    struct signer *s = NULL;
    struct signer *again = NULL;
    struct stat st;
    struct address a;

    (void)state;
    unlink(path);
    assert_int_equal(signer_create(path, &s, NULL), E_OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(load(&a), E_OK);
    assert_true(address_eq(a, signer_address(s)));
    assert_int_equal(signer_create(path, &again, NULL), E_CONFIG); /* never overwrites */
    assert_null(again);
    assert_int_equal(load(&a), E_OK);
    assert_true(address_eq(a, signer_address(s)));
    signer_free(s);
}

static void *sign_many(void *arg)
{
    const struct signer *s = arg;

    for (int i = 0; i < 200; i++) {
        struct digest d = keccak256(&i, sizeof(i));
        struct signature sig = signer_sign(s, d);

        if (secp_check(d, bytes_of(sig.b, sizeof(sig.b)), signer_address(s), NULL) != E_OK)
            return arg;
    }
    return NULL;
}

static void test_threads_share_a_signer(void **state)
{
    static const uint8_t key[32] = {1};
    struct signer *s;
    pthread_t t[3];

    (void)state;
    assert_int_equal(signer_from_bytes(key, &s, NULL), E_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&t[i], NULL, sign_many, s), 0);
    for (int i = 0; i < 3; i++) {
        void *bad;

        pthread_join(t[i], &bad);
        assert_null(bad);
    }
    signer_free(s);
}

static void test_another_signer_is_refused(void **state)
{
    static const uint8_t key[32] = {1};
    static const uint8_t other[32] = {2};
    struct digest d = keccak256("x", 1);
    struct signature sig;
    struct signer *s;
    struct signer *o;

    (void)state;
    assert_int_equal(signer_from_bytes(key, &s, NULL), E_OK);
    assert_int_equal(signer_from_bytes(other, &o, NULL), E_OK);
    sig = signer_sign(o, d);
    assert_int_equal(secp_check(d, bytes_of(sig.b, sizeof(sig.b)), signer_address(s), NULL),
                     E_BAD_SIGNATURE);
    assert_int_equal(secp_check(d, bytes_of(NULL, 0), signer_address(s), NULL), E_BAD_SIGNATURE);
    signer_free(s);
    signer_free(o);
    signer_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms_of_a_key_file),
        cmocka_unit_test(test_bad_contents),
        cmocka_unit_test(test_open_files_are_refused),
        cmocka_unit_test(test_only_regular_files),
        cmocka_unit_test(test_create),
        cmocka_unit_test(test_threads_share_a_signer),
        cmocka_unit_test(test_another_signer_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
