/* SPDX-License-Identifier: MIT */
#include "indexer/run.h"

#include <signal.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/metrics_text.h"

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

void run_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

static void pause_ms(int64_t ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};

    nanosleep(&t, NULL); /* a signal ends it early, which is what we want */
}

/* Stepping on would book a falsehood: somebody has to look. */
static bool halts(enum err_code rc)
{
    return rc == E_NOT_FOUND || rc == E_DIGEST_MISMATCH || rc == E_INTERNAL;
}

/* What came of a look, in the log and in the figures. */
static void tell(const struct run *r, enum err_code rc, const struct err *why,
                 struct metrics_text *metrics)
{
    struct rpc_health nodes = rpc_health(r->rpc);
    struct err err = {0};
    struct buf text = {0};

    r->figures->halted = halts(rc);
    if (rc == E_OK)
        r->figures->looked = clock_wall_us() / 1000000;
    else
        r->figures->failed++;
    if (halts(rc))
        log_error("halted", "code=%s text=%s", err_info(rc)->word, why->text);
    else if (rc != E_OK)
        log_warn("retry", "code=%s text=%s", err_info(rc)->word, why->text);
    if (metrics && figures_prometheus(r->figures, &nodes, &text, &err) == E_OK)
        metrics_text_set(metrics, &text);
    buf_done(&text);
}

static enum err_code look(const struct run *r, struct metrics_text *metrics, struct err *err)
{
    bool checked = false;

    while (!stopping) {
        struct err why = {0};
        uint64_t booked = 0;
        /* The wrong chain would fill the books with a stranger's facts. */
        enum err_code rc = checked ? E_OK : rpc_meet_chain(r->rpc, (uint64_t)r->chain_id, &why);

        if (rc == E_CONFIG) {
            *err = why;
            return rc;
        }
        if (rc == E_OK) {
            checked = true;
            rc = r->step(r->who, &booked, &why);
        }
        tell(r, rc, &why, metrics);
        if (booked == 0 || rc != E_OK)
            pause_ms(r->poll_ms);
    }
    return E_OK;
}

enum err_code run_steps(const struct run *r, struct err *err)
{
    struct metrics_text *metrics = NULL;
    enum err_code rc = E_OK;

    if (r->metrics[0])
        rc = metrics_text_start(r->metrics, &metrics, err);
    if (rc == E_OK)
        rc = look(r, metrics, err);
    metrics_text_stop(metrics);
    return rc;
}
