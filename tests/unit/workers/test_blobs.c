/* SPDX-License-Identifier: MIT */
/* What an image's documents may be before they are built. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/hash.h"
#include "lib/hex.h"
#include "workers/image/blobs.h"
#include "workers/image/unpack.h"

/* An object of one list: so many members, of so many bytes each. */
static size_t list_of(char *text, size_t count, const char *each)
{
    char *p = stpcpy(text, "{\"a\":["); // NOLINT: there is room
    for (size_t i = 0; i < count; i++) {
        p = stpcpy(p, i ? "," : "");
        p = stpcpy(p, each);
    }
    return (size_t)(stpcpy(p, "]}") - text);
}

/* A document is small as text and large once it is built; so it is counted before. */
static void test_documents(void **state)
{
    static char text[4 << 20];
    static char line[4096];
    memset(line, 'x', sizeof(line) - 1);
    line[0] = line[sizeof(line) - 2] = '"';
    const struct {
        size_t count;
        const char *each;
        enum err_code end;
    } rows[] = {{200, line, E_OK},
                {16382, "{}", E_OK},
                {16383, "{}", E_BAD_MANIFEST},
                {8192, "{\"\":1}", E_BAD_MANIFEST},
                {300000, "{}", E_BAD_MANIFEST},
                {300, line, E_TOO_LARGE}};
    char path[256];
    const char *tmp = getenv("OGPU_TEST_TMP");
    (void)state;
    snprintf(path, sizeof(path), "%s/ogpu-blobs-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(path));
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char digest[72] = "sha256:";
        json_t *v = NULL;
        struct err err;
        size_t n = list_of(text, rows[i].count, rows[i].each);
        struct digest d = sha256(text, n);
        hex_encode(d.b, sizeof(d.b), digest + 7);
        int fd = openat(dir, digest + 7, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        assert_int_equal(write(fd, text, n), n);
        close(fd);
        assert_int_equal(blobs_json(dir, digest, &v, &err), rows[i].end);
        if (rows[i].end == E_BAD_MANIFEST)
            assert_non_null(strstr(err.text, "too many values"));
        json_decref(v);
    }
    close(dir);
    assert_true(unpack_remove(AT_FDCWD, path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_documents)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
