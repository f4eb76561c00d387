/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_AGENT_EARNINGS_H
#define WORKERS_AGENT_EARNINGS_H

#include <pthread.h>
#include <stdbool.h>

#include "core/id.h"
#include "core/manifest.h"
#include "lib/err.h"

#define EARNINGS_MAX 512

/*
 * What this machine knows of each source from its own runs, kept in a file of its work folder, and
 * what it may expect of it:
 *
 *     income an hour = mean reward × share of good runs × 3600 s / mean time of a task
 *     cost an hour   = watts ÷ 1000 × price of a kWh ÷ slots
 *     profit         = income − cost
 *
 * Per slot, if there is always a task, and before the marketplace's fee and lost races. A source
 * that was never run is judged by the least reward and the longest time that its manifest allows.
 * Amounts are units (1e-6 OGPU).
 */
struct earning {
    struct uuid source;
    int64_t tasks;        /**< runs that ended, well or not */
    int64_t good;         /**< of these: answered */
    int64_t mean_ms;      /**< of good runs, from claim to response; newest counts a quarter */
    int64_t reward_units; /**< mean of the rewards of all runs, alike */
    int64_t last_s;       /**< Unix time */
};

struct earnings {
    pthread_mutex_t mutex;
    char path[600];
    struct earning rows[EARNINGS_MAX];
    size_t n;
};

/** What electricity costs. */
struct power {
    int64_t watts;
    int64_t kwh_units; /**< price of a kWh in units */
    int64_t slots;
};

/** What may be expected of a source, in units an hour and slot. */
struct expectation {
    bool measured; /**< from runs here; else from the manifest's limits */
    int64_t tasks;
    int64_t good_percent;
    int64_t mean_ms;
    int64_t reward_units;
    int64_t income;
    int64_t cost;
    int64_t profit; /**< income − cost; may be negative */
};

/** Read the file in this work folder; none, or a broken one, is an empty book. */
void earnings_open(struct earnings *e, const char *work_dir);
void earnings_close(struct earnings *e);

/** A run ended after `ms`. Writes the file. @reward of the task, as the claim said; @good answered
 */
void earnings_note(struct earnings *e, struct uuid source, struct wei reward, int64_t ms,
                   bool good);

/** The formula above. */
struct expectation earnings_expect(struct earnings *e, struct uuid source, const struct manifest *m,
                                   const struct power *power);

#endif
