/* SPDX-License-Identifier: MIT */
#include "workers/agent/remote_signer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/hex.h"
#include "lib/log.h"
#include "lib/unix_socket.h"

#define LINE_MAX_BYTES 160
#define PATIENCE_US    5000000

/* A line without its end; false when none came whole in time. */
static bool read_line(int fd, char out[LINE_MAX_BYTES])
{
    size_t n = 0;
    int64_t end = clock_mono_us() + PATIENCE_US;
    while (n < LINE_MAX_BYTES) {
        int64_t left = (end - clock_mono_us()) / 1000;
        struct pollfd row = {.fd = fd, .events = POLLIN};
        if (left <= 0 || poll(&row, 1, (int)left) != 1)
            return false;
        ssize_t got = recv(fd, out + n, LINE_MAX_BYTES - n, 0);
        if (got <= 0)
            return false;
        n += (size_t)got;
        char *stop = memchr(out, '\n', n);
        if (stop) {
            *stop = '\0';
            return true;
        }
    }
    return false;
}

/* ---- the worker's side ---- */

static enum err_code ask(const char *path, const char *line, size_t digits, uint8_t *out,
                         size_t size, struct err *err)
{
    char text[LINE_MAX_BYTES] = "";
    int fd = -1;
    struct err why;
    if (unix_connect(path, &fd, &why) != E_OK)
        return err_set(err, why.code, "no answer from the signer at %.150s", why.text);
    bool ok =
        send(fd, line, strlen(line), MSG_NOSIGNAL) == (ssize_t)strlen(line) && read_line(fd, text);
    int saved = errno;
    close(fd);
    if (!ok)
        return err_set(err, E_PEER, "no answer from the signer at %.100s: %s", path,
                       strerror(saved));
    if (strlen(text) != digits + 2 || !hex_decode(text, strlen(text), out, size))
        return err_set(err, E_PEER, "the signer at %.100s says: %.40s", path, text);
    return E_OK;
}

enum err_code remote_signer_address(const char *path, struct address *out, struct err *err)
{
    return ask(path, "address\n", 40, out->b, sizeof(out->b), err);
}

enum err_code remote_signer_sign(const char *path, struct digest digest, struct signature *out,
                                 struct err *err)
{
    char line[LINE_MAX_BYTES];
    char hex[65];
    hex_encode(digest.b, sizeof(digest.b), hex);
    snprintf(line, sizeof(line), "sign %s\n", hex);
    return ask(path, line, 130, out->b, sizeof(out->b), err);
}

/* ---- the signer's side ---- */

static void serve_one(int fd, const struct signer *key)
{
    char line[LINE_MAX_BYTES];
    char hex[131];
    struct digest d = {{0}};
    int n = 0;
    if (!read_line(fd, line))
        return;
    if (strcmp(line, "address") == 0) {
        hex_encode(signer_address(key).b, 20, hex);
        n = snprintf(line, sizeof(line), "0x%s\n", hex);
    } else if (strncmp(line, "sign ", 5) == 0 &&
               hex_decode(line + 5, strlen(line + 5), d.b, sizeof(d.b))) {
        struct signature s = signer_sign(key, d);
        hex_encode(s.b, sizeof(s.b), hex);
        n = snprintf(line, sizeof(line), "0x%s\n", hex);
    } else {
        n = snprintf(line, sizeof(line), "not understood\n");
    }
    if (send(fd, line, (size_t)n, MSG_NOSIGNAL) < 0)
        log_warn("signer_not_heard", "why=%s", strerror(errno));
}

enum err_code remote_signer_serve(const char *path, const struct signer *key, struct err *err)
{
    int listener = -1;
    sigset_t set;
    enum err_code rc = unix_listen(path, &listener, err);
    if (rc != E_OK)
        return rc;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int end = signalfd(-1, &set, SFD_CLOEXEC);
    struct pollfd rows[2] = {{.fd = listener, .events = POLLIN}, {.fd = end, .events = POLLIN}};
    log_info("signing", "socket=%s", path);
    while (poll(rows, 2, -1) >= 0 && !rows[1].revents) {
        /* cppcheck-suppress nullPointer ; both NULLs say that nobody asks who calls */
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        serve_one(fd, key);
        close(fd);
    }
    close(end);
    close(listener);
    unlink(path);
    return E_OK;
}
