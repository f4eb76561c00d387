/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/unix_socket.h"

static char dir[512];

static int enter(void **state)
{
    const char *tmp = getenv("OGPU_TEST_TMP");

    (void)state;
    snprintf(dir, sizeof(dir), "%.480s/unix-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int leave(void **state)
{
    (void)state;
    return rmdir(dir);
}

static void test_one_that_nobody_listens_at_is_replaced(void **state)
{
    struct err err;
    struct stat st;
    int first = -1;
    int second = -1;
    int caller = -1;

    (void)state;
    assert_int_equal(unix_listen("s", &first, &err), E_OK);
    close(first); /* killed: the name stays */
    assert_int_equal(unix_connect("s", &caller, &err), E_PEER);
    assert_string_equal(err.text, "s: Connection refused");
    assert_int_equal(unix_listen("s", &second, &err), E_OK);
    assert_int_equal(stat("s", &st), 0);
    assert_int_equal(st.st_mode, S_IFSOCK | 0600);
    assert_int_equal(unix_connect("s", &caller, &err), E_OK);
    close(caller);
    close(second);
    unlink("s");
}

static void test_a_live_one_is_left_to_its_owner(void **state)
{
    enum { FULL = 64 };
    const struct sockaddr_un at = {AF_UNIX, "s"};
    int callers[FULL];
    struct err err;
    int first = -1;
    int second = -1;
    int n = 0;

    (void)state;
    assert_int_equal(unix_listen("s", &first, &err), E_OK);
    assert_int_equal(unix_listen("s", &second, &err), E_CONFIG);
    assert_string_equal(err.text, "cannot listen at s: Address already in use");
    /* Busy is alive too: the queue of those who wait takes no more. */
    assert_int_equal(listen(first, 0), 0);
    while (n < FULL) {
        struct timeval soon = {.tv_usec = 1};

        callers[n] = socket(AF_UNIX, SOCK_STREAM, 0);
        setsockopt(callers[n], SOL_SOCKET, SO_SNDTIMEO, &soon, sizeof(soon));
        if (connect(callers[n++], (const struct sockaddr *)&at, sizeof(at)) != 0)
            break;
    }
    assert_int_not_equal(n, FULL);
    assert_int_equal(unix_listen("s", &second, &err), E_CONFIG);
    while (n > 0)
        close(callers[--n]);
    close(first);
    unlink("s");
}

static void test_what_is_no_socket_stays(void **state)
{
    char text[8] = "";
    struct err err;
    FILE *f = fopen("s", "w");
    int fd = -1;

    (void)state;
    assert_non_null(f);
    fputs("mine", f);
    fclose(f);
    assert_int_equal(unix_listen("s", &fd, &err), E_CONFIG);
    f = fopen("s", "r");
    assert_non_null(f);
    assert_non_null(fgets(text, sizeof(text), f));
    assert_string_equal(text, "mine");
    fclose(f);
    unlink("s");
    assert_int_equal(symlink("nowhere", "s"), 0);
    assert_int_equal(unix_listen("s", &fd, &err), E_CONFIG);
    assert_int_equal(unlink("s"), 0);
}

static void test_a_path_that_does_not_fit(void **state)
{
    char path[109];
    struct err err;
    int fd = -1;

    (void)state;
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    assert_int_equal(unix_listen(path, &fd, &err), E_CONFIG);
    assert_int_equal(unix_connect(path, &fd, &err), E_CONFIG);
    assert_int_equal(fd, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_that_nobody_listens_at_is_replaced),
        cmocka_unit_test(test_a_live_one_is_left_to_its_owner),
        cmocka_unit_test(test_what_is_no_socket_stays),
        cmocka_unit_test(test_a_path_that_does_not_fit),
    };

    return cmocka_run_group_tests(tests, enter, leave);
}
