/* SPDX-License-Identifier: MIT */
/* How long a registry may take, and how slow it may be. The registry is real, its haste is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/http.h"
#include "workers/image/blobs.h"
#include "workers/image/unpack.h"

#define DIGEST "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct drip {
    pthread_t thread;
    int listener;
    int wake[2];
    int pieces;   /* of an answer; each 20 ms after the one before */
    size_t piece; /* bytes; 0: it says nothing at all */
    char dir[256];
    int blobs;
    char reference[256];
    struct http_client *http;
    struct err err;
};

/* @return false when the test is over */
static bool wait_for(const struct drip *d, int fd, int ms)
{
    struct pollfd f[2] = {{d->wake[0], POLLIN, 0}, {fd, POLLIN, 0}};
    poll(f, fd < 0 ? 1 : 2, ms);
    return f[0].revents == 0;
}

static void answer(const struct drip *d, int fd)
{
    static const char bytes[65536];
    char text[4096];
    ssize_t n = read(fd, text, sizeof(text));
    if (n > 0 && d->piece > 0)
        n = dprintf(fd, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n",
                    (size_t)d->pieces * d->piece);
    for (int i = 0; n > 0 && i < d->pieces && wait_for(d, -1, 20); i++) {
        if (d->piece > 0)
            n = send(fd, bytes, d->piece, MSG_NOSIGNAL);
    }
}

static void *serve(void *ctx)
{
    const struct drip *d = ctx;
    while (wait_for(d, d->listener, -1)) {
        int fd = accept(d->listener, NULL, NULL);
        if (fd >= 0) {
            answer(d, fd);
            close(fd);
        }
    }
    return NULL;
}

static void begin(struct drip *d, int pieces, size_t piece)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(at);
    const char *tmp = getenv("OGPU_TEST_TMP");
    *d = (struct drip){.pieces = pieces, .piece = piece, .http = http_client_new()};
    snprintf(d->dir, sizeof(d->dir), "%s/ogpu-pull-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(d->dir));
    d->blobs = open(d->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    d->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(d->blobs >= 0 && d->listener >= 0);
    assert_int_equal(bind(d->listener, (struct sockaddr *)&at, n), 0);
    assert_int_equal(getsockname(d->listener, (struct sockaddr *)&at, &n), 0);
    assert_int_equal(listen(d->listener, 4), 0);
    assert_int_equal(pipe2(d->wake, O_CLOEXEC), 0);
    snprintf(d->reference, sizeof(d->reference), "127.0.0.1:%d/a/b@" DIGEST, ntohs(at.sin_port));
    assert_int_equal(pthread_create(&d->thread, NULL, serve, d), 0);
}

static void end(const struct drip *d)
{
    assert_int_equal(write(d->wake[1], "", 1), 1);
    pthread_join(d->thread, NULL);
    http_client_free(d->http);
    close(d->wake[0]);
    close(d->wake[1]);
    close(d->listener);
    close(d->blobs);
    assert_true(unpack_remove(AT_FDCWD, d->dir));
}

static enum err_code pull(struct drip *d, int64_t pull_s, int64_t slow_s)
{
    struct image_want want = {.digest = DIGEST, .reference = d->reference, .http = d->http};
    struct image_limits limits = {.packed_bytes = 1 << 30, .pull_s = pull_s, .slow_s = slow_s};
    alarm(120); /* what never ends, ends here */
    enum err_code rc = blobs_from_registry(d->blobs, &want, &limits, &d->err);
    alarm(0);
    return rc;
}

/* ---- the tests ---- */

static void test_one_that_drips_or_says_nothing(void **state)
{
    (void)state;
    for (size_t bytes = 0; bytes < 2; bytes++) {
        struct drip d;
        begin(&d, 1000000, bytes);
        assert_int_equal(pull(&d, 3600, 1), E_TIMEOUT);
        assert_string_equal(d.err.text, "registry sends less than 16384 bytes a second");
        end(&d);
    }
}

/* Fast enough at any time, and never done. */
static void test_one_that_does_not_end(void **state)
{
    struct drip d;
    (void)state;
    begin(&d, 1000000, 1024);
    assert_int_equal(pull(&d, 2, 3600), E_TIMEOUT);
    assert_string_equal(d.err.text, "registry takes too long for the image");
    end(&d);
}

/* Some seconds of a steady pace are looked at and let be: what came of them is judged. */
static void test_one_at_a_steady_pace(void **state)
{
    struct drip d;
    (void)state;
    begin(&d, 200, 65536);
    assert_int_equal(pull(&d, 3600, 3), E_DIGEST_MISMATCH);
    end(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_that_drips_or_says_nothing),
        cmocka_unit_test(test_one_that_does_not_end),
        cmocka_unit_test(test_one_at_a_steady_pace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
