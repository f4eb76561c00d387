/* SPDX-License-Identifier: MIT */
/* The worker's side of a process that computes. */
#include "workers/kernels/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/hex.h"

#define READY_US   (60 * 1000000LL)  /* a driver's context on a machine with many cards */
#define BENCH_US   (120 * 1000000LL) /* seconds on any card that does anything at all */
#define ANSWER_MAX 512
/* 64 rows of 4096 columns, their paths, and JSON's own characters. */
#define ROWS_MAX ((size_t)4 << 20)
#define TICK_MS  100
#define END_MS   5000

extern char **environ;

static enum err_code launch(struct helper *h, enum helper_kind kind, const char *uuid, int in,
                            int out, struct err *err)
{
    char name[KERNELS_UUID_MAX];
    char library[PATH_MAX];
    char program[] = "ogpu-worker";
    char word[] = HELPER_WORD;
    char twin[] = "c";
    char cuda[] = "cuda";
    char *argv[] = {program, word, kind == HELPER_CUDA ? cuda : twin, name, library, NULL};
    posix_spawn_file_actions_t files;
    snprintf(name, sizeof(name), "%s", uuid);
    snprintf(library, sizeof(library), "%s", h->library);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, in, 0);
    posix_spawn_file_actions_adddup2(&files, out, 1);
    int rc = posix_spawn(&h->pid, "/proc/self/exe", &files, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    if (rc == 0)
        return E_OK;
    h->pid = 0;
    return err_set(err, E_IO, "the computing process could not be started: %s", strerror(rc));
}

static enum err_code start(struct helper *h, enum helper_kind kind, const char *uuid,
                           struct err *err)
{
    int in[2];
    int out[2];
    if (pipe2(in, O_CLOEXEC) != 0)
        return err_set(err, E_IO, "no pipe: %s", strerror(errno));
    if (pipe2(out, O_CLOEXEC) != 0) {
        close(in[0]);
        close(in[1]);
        return err_set(err, E_IO, "no pipe: %s", strerror(errno));
    }
    enum err_code rc = launch(h, kind, uuid, in[0], out[1], err);
    close(in[0]);
    close(out[1]);
    h->to = in[1];
    h->from = out[0];
    if (rc != E_OK) {
        close(h->to);
        close(h->from);
    }
    return rc;
}

/* What it was told is shorter than a pipe holds: this never waits. */
static enum err_code tell(struct helper *h, const char *text, struct err *err)
{
    size_t n = strlen(text);
    if (write(h->to, text, n) == (ssize_t)n)
        return E_OK;
    return err_set(err, E_IO, "the computing process has ended");
}

/* Read what is there. @return E_OK with more bytes held */
static enum err_code take(struct helper *h, struct err *err)
{
    char bytes[65536];
    ssize_t n;
    do {
        n = read(h->from, bytes, sizeof(bytes));
    } while (n < 0 && errno == EINTR);
    if (n <= 0)
        return err_set(err, E_IO, "the computing process ended without an answer");
    return buf_add(&h->held, bytes, (size_t)n, err);
}

/* Its next line, NUL for newline, in `held`. */
static enum err_code next_line(struct helper *h, size_t max, int64_t until_us, struct err *err)
{
    enum err_code rc = E_OK;
    h->held.n = 0;
    h->held.cap = max;
    while (rc == E_OK) {
        struct pollfd row = {.fd = h->from, .events = POLLIN};
        if (h->stop && h->stop(h->ctx))
            return err_set(err, E_DRAINING, "it was told to end");
        if (clock_mono_us() >= until_us)
            return err_set(err, E_TIMEOUT, "the computing process did not answer in time");
        if (poll(&row, 1, TICK_MS) != 1)
            continue;
        rc = take(h, err);
        if (rc == E_OK && h->held.p[h->held.n - 1] == '\n') {
            h->held.p[h->held.n - 1] = '\0';
            break;
        }
    }
    if (rc == E_OK && strncmp((char *)h->held.p, "no ", 3) == 0)
        rc = err_set(err, E_PEER, "%.180s", (char *)h->held.p + 3);
    return rc;
}

static enum err_code strange(struct err *err)
{
    return err_set(err, E_IO, "the computing process said something else");
}

enum err_code helper_start(struct helper *h, enum helper_kind kind, const char *uuid,
                           double *ops_per_s, struct err *err)
{
    enum err_code rc = start(h, kind, uuid, err);
    if (rc == E_OK)
        rc = next_line(h, ANSWER_MAX, clock_mono_us() + READY_US, err);
    if (rc != E_OK)
        return rc;
    char *end;
    const char *line = (char *)h->held.p;
    double rate = strncmp(line, "ready ", 6) == 0 ? strtod(line + 6, &end) : 0;
    if (!(rate > 0))
        return strange(err);
    *ops_per_s = rate;
    return E_OK;
}

void helper_end(struct helper *h)
{
    buf_done(&h->held);
    if (h->pid == 0)
        return;
    close(h->to);
    close(h->from);
    kill(h->pid, SIGKILL);
    /* What hangs inside a broken driver cannot be killed, nor waited for. */
    for (int ms = 0; waitpid(h->pid, NULL, WNOHANG) == 0 && ms < END_MS; ms += 10) {
        struct timespec t = {0, 10000000};
        nanosleep(&t, NULL);
    }
    h->pid = 0;
}

enum err_code helper_bench(struct helper *h, struct kernels_rates *out, struct err *err)
{
    double *const into[] = {&out->int8_tops,     &out->fp16_tflops, &out->bf16_tflops,
                            &out->fp32_tflops,   &out->copy_gb_s,   &out->to_card_gb_s,
                            &out->from_card_gb_s};
    enum err_code rc = tell(h, "bench\n", err);
    if (rc == E_OK)
        rc = next_line(h, ANSWER_MAX, clock_mono_us() + BENCH_US, err);
    if (rc != E_OK)
        return rc;
    const char *at = (char *)h->held.p;
    if (strncmp(at, "rates", 5) != 0)
        return strange(err);
    at += 5;
    for (size_t i = 0; i < ARRAY_LEN(into); i++) {
        char *end;
        *into[i] = strtod(at, &end);
        if (end == at)
            return strange(err);
        at = end;
    }
    return E_OK;
}

enum err_code helper_prove(struct helper *h, const struct gpu_proof_shape *shape,
                           const struct digest *seed, int64_t until_us, struct digest *root,
                           struct err *err)
{
    char hex[65];
    char text[ANSWER_MAX];
    hex_encode(seed->b, sizeof(seed->b), hex);
    snprintf(text, sizeof(text), "prove %u %u %u %s\n", shape->rows, shape->inner, shape->cols,
             hex);
    enum err_code rc = tell(h, text, err);
    if (rc == E_OK)
        rc = next_line(h, ANSWER_MAX, until_us, err);
    if (rc != E_OK)
        return rc;
    const char *line = (char *)h->held.p;
    if (strncmp(line, "root ", 5) != 0 ||
        !hex_decode(line + 5, strlen(line + 5), root->b, sizeof(root->b)))
        return strange(err);
    return E_OK;
}

enum err_code helper_open(struct helper *h, const uint32_t *at, int64_t until_us, struct buf *out,
                          struct err *err)
{
    char text[16 + GPU_PROOF_OPENED * 12];
    size_t n = (size_t)snprintf(text, sizeof(text), "open");
    for (size_t i = 0; i < GPU_PROOF_OPENED; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, " %u", at[i]);
    snprintf(text + n, sizeof(text) - n, "\n");
    enum err_code rc = tell(h, text, err);
    if (rc == E_OK)
        rc = next_line(h, ROWS_MAX, until_us, err);
    if (rc != E_OK)
        return rc;
    return buf_add(out, h->held.p, h->held.n - 1, err);
}
