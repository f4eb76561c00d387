/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/config_file.h"

struct options {
    const char *url;
    int64_t lease_s;
    bool verbose;
    const char *secret;
};

static const struct config_row rows[] = {
    {"OGPU_TEST_URL", CONFIG_TEXT, NULL, 0, 0, false, offsetof(struct options, url), "where"},
    {"OGPU_TEST_LEASE_S", CONFIG_INT, "60", 1, 3600, false, offsetof(struct options, lease_s),
     "lease"},
    {"TEST_VERBOSE", CONFIG_BOOL, "false", 0, 0, false, offsetof(struct options, verbose), "talk"},
    {"OGPU_TEST_SECRET", CONFIG_TEXT, "", 0, 0, true, offsetof(struct options, secret), "key"},
};

static int clear(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        unsetenv(rows[i].name);
    return 0;
}

/* Load from the given words. */
static enum err_code load(struct options *o, struct err *err, int n, ...)
{
    char *argv[8];
    va_list args;

    va_start(args, n);
    for (int i = 0; i < n; i++)
        argv[i] = va_arg(args, char *);
    va_end(args);
    return config_load(rows, ARRAY_LEN(rows), n, argv, o, err);
}

static void test_flag_beats_environment_beats_default(void **state)
{
    struct options o = {.url = NULL};
    struct err err;

    (void)state;
    setenv("OGPU_TEST_URL", "from-env", 1);
    assert_int_equal(load(&o, &err, 0), E_OK);
    assert_string_equal(o.url, "from-env");
    assert_int_equal(o.lease_s, 60);
    assert_false(o.verbose);
    assert_string_equal(o.secret, "");
    assert_int_equal(
        load(&o, &err, 5, "--test-url", "from-flag", "--test-lease-s=7", "--test-verbose", "yes"),
        E_OK);
    assert_string_equal(o.url, "from-flag");
    assert_int_equal(o.lease_s, 7);
    assert_true(o.verbose);
    assert_int_equal(load(&o, &err, 4, "--test-url", "a", "--test-url", "b"), E_OK);
    assert_string_equal(o.url, "b");
    /* a flag's value may look like a flag, and an '=' may stand in it */
    assert_int_equal(load(&o, &err, 2, "--test-url", "--test-lease-s=9"), E_OK);
    assert_string_equal(o.url, "--test-lease-s=9");
    assert_int_equal(o.lease_s, 60);
}

static void test_an_empty_variable_is_no_value(void **state)
{
    struct options o;
    struct err err;

    (void)state;
    setenv("OGPU_TEST_URL", "", 1);
    assert_int_equal(load(&o, &err, 0), E_CONFIG);
    assert_non_null(strstr(err.text, "OGPU_TEST_URL"));
    assert_non_null(strstr(err.text, "--test-url"));
}

static void test_bad_values_are_named(void **state)
{
    static const char *const bad[] = {
        "0", "3601", "-1", "x", "7x", " 7", "", "1e1", "99999999999999999999"};
    struct options o;
    struct err err;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char flag[64];

        snprintf(flag, sizeof(flag), "--test-lease-s=%s", bad[i]);
        assert_int_equal(load(&o, &err, 3, "--test-url", "u", flag), E_CONFIG);
        assert_non_null(strstr(err.text, "OGPU_TEST_LEASE_S"));
    }
    assert_int_equal(load(&o, &err, 3, "--test-url", "u", "--test-verbose=maybe"), E_CONFIG);
}

static void test_unknown_words_are_refused(void **state)
{
    struct options o;
    struct err err;

    (void)state;
    assert_int_equal(load(&o, &err, 2, "--test-url", "u"), E_OK);
    assert_int_equal(load(&o, &err, 3, "--test-url", "u", "--test-ur"), E_CONFIG);
    assert_int_equal(load(&o, &err, 3, "--test-url", "u", "--test-urls"), E_CONFIG);
    assert_int_equal(load(&o, &err, 3, "--test-url", "u", "stray"), E_CONFIG);
    assert_int_equal(load(&o, &err, 1, "--test-url"), E_CONFIG);
    assert_non_null(strstr(err.text, "needs a value"));
}

static void test_show_masks_secrets(void **state)
{
    char *argv[] = {"--test-url", "u", "--test-secret", "hunter2"};
    char text[1024] = "";
    FILE *out = tmpfile();
    int saved = dup(STDOUT_FILENO);

    (void)state;
    fflush(stdout);
    dup2(fileno(out), STDOUT_FILENO);
    config_show(rows, ARRAY_LEN(rows), 4, argv);
    config_help(rows, ARRAY_LEN(rows));
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    rewind(out);
    assert_true(fread(text, 1, sizeof(text) - 1, out) > 0);
    fclose(out);
    assert_null(strstr(text, "hunter2"));
    assert_non_null(strstr(text, "OGPU_TEST_SECRET=*** (flag)"));
    assert_non_null(strstr(text, "OGPU_TEST_LEASE_S=60 (default)"));
    assert_non_null(strstr(text, "--test-lease-s"));
}

/* A file with this text, read; NULL with the complaint in `err`. */
static struct config_file *file_of(const char *text, struct err *err)
{
    char path[] = "/tmp/ogpu-config-XXXXXX";
    int fd = mkstemp(path);
    struct config_file *f = NULL;

    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    if (config_file_read(path, rows, ARRAY_LEN(rows), &f, err) != E_OK)
        f = NULL;
    unlink(path);
    return f;
}

static void test_a_file_stands_between_environment_and_default(void **state)
{
    struct options o = {.url = NULL};
    struct err err;
    struct config_file *f = file_of(
        "# no option\nOGPU_TEST_URL='a b'\n  OGPU_TEST_LEASE_S = 9  \nTEST_VERBOSE=\"yes\"\n",
        &err);

    (void)state;
    assert_non_null(f);
    setenv("OGPU_TEST_LEASE_S", "8", 1);
    assert_int_equal(
        config_load_from(rows, ARRAY_LEN(rows), &(struct config_words){0, NULL, f}, &o, &err),
        E_OK);
    assert_string_equal(o.url, "a b");
    assert_int_equal(o.lease_s, 8);
    assert_true(o.verbose);
    assert_string_equal(o.secret, "");
    config_file_free(f);
}

static void test_a_files_mistakes_have_a_line(void **state)
{
    static const char *const bad[] = {"\nOGPU_NONE=1", "\nwords",
                                      "OGPU_TEST_URL=1\nOGPU_TEST_URL=1"};
    struct err err;
    struct config_file *f = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_null(file_of(bad[i], &err));
        assert_non_null(strstr(err.text, ":2: "));
    }
    assert_int_equal(config_file_read("/nowhere/at/all", rows, ARRAY_LEN(rows), &f, &err),
                     E_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_flag_beats_environment_beats_default, clear),
        cmocka_unit_test_setup(test_an_empty_variable_is_no_value, clear),
        cmocka_unit_test_setup(test_bad_values_are_named, clear),
        cmocka_unit_test_setup(test_unknown_words_are_refused, clear),
        cmocka_unit_test_setup(test_show_masks_secrets, clear),
        cmocka_unit_test_setup(test_a_file_stands_between_environment_and_default, clear),
        cmocka_unit_test_setup(test_a_files_mistakes_have_a_line, clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
