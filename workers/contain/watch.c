/* SPDX-License-Identifier: MIT */
#include "workers/contain/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "workers/contain/cgroup.h"
#include "workers/contain/json_shape.h"
#include "workers/contain/outputs.h"

enum {
    ROW_INIT,
    ROW_CONTROL,
    ROW_OUT,
    ROW_LOG,
    ROW_EGRESS,
    ROW_COURIER,
    ROWS = ROW_COURIER + COURIER_FDS
};

static void end_with(struct watch *w, enum box_end end, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void end_with(struct watch *w, enum box_end end, const char *fmt, ...)
{
    if (w->over)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(w->result->reason, sizeof(w->result->reason), fmt, ap);
    va_end(ap);
    w->result->end = end;
    w->over = true;
}

void watch_begin(struct watch *w, struct life *life, int control, struct box_result *result)
{
    memset(w, 0, sizeof(*w));
    w->life = life;
    w->control = control;
    w->result = result;
    w->json_fd = -1;
    w->courier.listener = w->courier.run = -1;
}

enum err_code watch_serve(struct watch *w, const void *input, size_t n, struct err *err)
{
    w->serving = true;
    return courier_begin(&w->courier, w->life, input, n, err);
}

void watch_done(struct watch *w)
{
    if (w->serving)
        courier_done(&w->courier);
    if (w->json_fd >= 0)
        close(w->json_fd);
    w->json_fd = -1;
}

/* @return false at the end of the pipe (or when it has nothing now). */
static bool drain_out(struct watch *w)
{
    char bytes[65536];
    ssize_t n = read(w->life->out, bytes, sizeof(bytes));
    if (n <= 0) {
        if (n == 0) {
            close(w->life->out);
            w->life->out = -1;
        }
        return false;
    }
    if (w->serving)
        return true; /* a service's chatter */
    int64_t max = outputs_json_max(&w->life->spec->limits);
    if (w->json_size + n > max) {
        end_with(w, BOX_OUTPUT_LIMIT, "stdout is more than %lld bytes", (long long)max);
        return false;
    }
    if (w->json_fd < 0)
        w->json_fd = memfd_create("output.json", MFD_CLOEXEC);
    if (write(w->json_fd, bytes, (size_t)n) != n) {
        end_with(w, BOX_OUTPUT_LIMIT, "stdout cannot be kept: %s", strerror(errno));
        return false;
    }
    w->json_size += n;
    return true;
}

static bool drain_log(struct watch *w)
{
    char bytes[4096];
    ssize_t n = read(w->life->log, bytes, sizeof(bytes));
    if (n <= 0) {
        if (n == 0) {
            close(w->life->log);
            w->life->log = -1;
        }
        return false;
    }
    size_t len = (size_t)n;
    size_t take = len < WATCH_LOG_KEPT ? len : WATCH_LOG_KEPT;
    size_t keep = w->logged < WATCH_LOG_KEPT - take ? w->logged : WATCH_LOG_KEPT - take;
    memmove(w->log, w->log + w->logged - keep, keep);
    memcpy(w->log + keep, bytes + len - take, take);
    w->logged = keep + take;
    return true;
}

/* The last line of stderr, printable: what a failing program says is the best reason there is. */
static void last_words(const struct watch *w, char *out, size_t size)
{
    size_t end = w->logged;
    while (end > 0 && (w->log[end - 1] == '\n' || w->log[end - 1] == ' '))
        end--;
    size_t from = end;
    while (from > 0 && w->log[from - 1] != '\n' && end - from < size - 1)
        from--;
    size_t n = end - from;
    for (size_t i = 0; i < n; i++)
        out[i] = w->log[from + i] >= ' ' && w->log[from + i] <= '~' ? w->log[from + i] : '?';
    out[n] = '\0';
}

/* Whether the kernel killed any of its processes at the memory limit: maybe not the first one. */
static bool lacked_memory(const struct watch *w)
{
    struct box_usage usage = {0};
    cgroup_counters(w->life->spec->cgroup_parent, w->life->spec->id, &usage);
    return usage.oom_kills > 0;
}

static void judge_death(struct watch *w)
{
    char words[128];
    int code = life_reap(w->life, &w->result->status);
    int status = w->result->status;
    last_words(w, words, sizeof(words));
    bool good = code == CLD_EXITED && status == 0;
    /* a service that ends without its callback did not end well, whatever it says */
    if ((!good || w->serving) && lacked_memory(w))
        end_with(w, BOX_OOM, "out of memory at %lld bytes",
                 (long long)w->life->spec->limits.memory_bytes);
    else if (code == CLD_EXITED && status != 0)
        end_with(w, BOX_EXIT, "exit status %d%s%s", status, words[0] ? ": " : "", words);
    else if (!good)
        end_with(w, BOX_SIGNAL, "killed by signal %d (%s)", status,
                 sigabbrev_np(status) ? sigabbrev_np(status) : "?");
    else if (w->serving)
        end_with(w, BOX_EXIT, "the service left before its callback%s%s", words[0] ? ": " : "",
                 words);
    else
        end_with(w, BOX_OK, "%s", "");
}

static void on_death(struct watch *w)
{
    /* Init is gone, so is its pid namespace: nobody writes any more, the pipes hold all there will
     * be. */
    while (w->life->out >= 0 && !w->over && drain_out(w))
        ;
    while (w->life->log >= 0 && drain_log(w))
        ;
    judge_death(w);
}

static void on_courier(struct watch *w, const struct pollfd *rows)
{
    struct courier *c = &w->courier;
    courier_turn(c, rows);
    if (c->state == COURIER_BROKEN)
        end_with(w, c->end, "%s", c->reason);
    if (c->state != COURIER_DELIVERED)
        return;
    w->json_fd = memfd_create("output.json", MFD_CLOEXEC);
    w->json_size = (int64_t)c->result.n;
    if (write(w->json_fd, c->result.p, c->result.n) != (ssize_t)c->result.n)
        end_with(w, BOX_BAD_OUTPUT, "the callback's body is empty or cannot be kept");
    else
        end_with(w, BOX_OK, "%s", "");
}

static bool must_be_taken(const struct watch *w)
{
    return w->accept_by_us > 0 && w->courier.accepted_us == 0;
}

static int rows_of(struct watch *w, struct pollfd *rows)
{
    int64_t now = clock_mono_us();
    int64_t wait = w->deadline_us - now;
    if (must_be_taken(w) && w->accept_by_us - now < wait)
        wait = w->accept_by_us - now;
    rows[ROW_INIT] = (struct pollfd){.fd = w->life->pidfd, .events = POLLIN};
    rows[ROW_CONTROL] = (struct pollfd){.fd = w->control, .events = POLLIN | POLLRDHUP};
    rows[ROW_OUT] = (struct pollfd){.fd = w->life->out, .events = POLLIN};
    rows[ROW_LOG] = (struct pollfd){.fd = w->life->log, .events = POLLIN};
    rows[ROW_EGRESS] = (struct pollfd){.fd = w->egress ? w->egress->sock : -1, .events = POLLIN};
    for (int i = ROW_COURIER; i < ROWS; i++)
        rows[i] = (struct pollfd){.fd = -1};
    if (w->serving) {
        int64_t turn = courier_wants(&w->courier, rows + ROW_COURIER);
        wait = turn < wait ? turn : wait;
    }
    return wait > 0 ? (int)((wait + 999) / 1000) : 0;
}

/*
 * What OpenGPU's SDK swallows (a handler's fault, no result) ends here, with what is known. Where
 * the kernel kills one process and not all (cgroup v1), the others may wait for it for ever.
 */
static void out_of_time(struct watch *w)
{
    char words[128];
    last_words(w, words, sizeof(words));
    if (lacked_memory(w)) {
        end_with(w, BOX_OOM, "out of memory at %lld bytes, then no end after %lld ms",
                 (long long)w->life->spec->limits.memory_bytes,
                 (long long)w->life->spec->limits.wall_ms);
        return;
    }
    end_with(w, BOX_TIMEOUT, "no end after %lld ms%s%s%s%s",
             (long long)w->life->spec->limits.wall_ms, w->serving ? ": " : "",
             w->serving ? courier_missing(&w->courier) : "", words[0] ? "; last words: " : "",
             words);
}

static void turn(struct watch *w)
{
    struct pollfd rows[ROWS];
    int wait = rows_of(w, rows);
    int n = poll(rows, ROWS, wait);
    if (n < 0 && errno != EINTR)
        end_with(w, BOX_START_FAILURE, "the supervisor cannot wait: %s", strerror(errno));
    if (n < 0)
        return;
    if (clock_mono_us() >= w->deadline_us)
        out_of_time(w);
    if (must_be_taken(w) && clock_mono_us() >= w->accept_by_us)
        end_with(w, BOX_TIMEOUT, "the kept container does not take its next task");
    if (rows[ROW_CONTROL].revents)
        end_with(w, BOX_STOPPED, "told to stop");
    /* Before the source's own end: it may have ended because its connections were cut. */
    if (rows[ROW_EGRESS].revents && egress_over(w->egress))
        end_with(w, BOX_EGRESS_LIMIT, "more than %lld bytes over the network",
                 (long long)egress_moved(w->egress));
    if (rows[ROW_LOG].revents)
        drain_log(w);
    if (rows[ROW_OUT].revents)
        drain_out(w);
    if (w->serving && !w->over)
        on_courier(w, rows + ROW_COURIER);
    if (rows[ROW_INIT].revents && !w->over)
        on_death(w);
}

/* output.json: one JSON object, as both contracts say. */
static void keep_json(struct watch *w)
{
    struct box_result *r = w->result;
    bool object = false;
    if (w->json_fd >= 0 && w->json_size > 0) {
        void *p = mmap(NULL, (size_t)w->json_size, PROT_READ, MAP_PRIVATE, w->json_fd, 0);
        if (p != MAP_FAILED) {
            object = json_shape_is_object(p, (size_t)w->json_size);
            munmap(p, (size_t)w->json_size);
        }
    }
    if (!object) {
        r->end = BOX_BAD_OUTPUT;
        snprintf(r->reason, sizeof(r->reason), "%s is not one JSON object",
                 w->serving ? "the callback's body" : "stdout");
    } else {
        struct box_output *o = &r->outputs[r->output_count++];
        snprintf(o->name, sizeof(o->name), "%s", OUTPUT_JSON);
        o->fd = w->json_fd;
        o->size = w->json_size;
        w->json_fd = -1;
    }
}

void watch_until_end(struct watch *w)
{
    w->deadline_us = clock_mono_us() + w->life->spec->limits.wall_ms * 1000;
    while (!w->over)
        turn(w);
}

void watch_finish(struct watch *w)
{
    if (!w->result->kept)
        life_kill(w->life);
    if (w->result->end == BOX_OK)
        keep_json(w);
}
