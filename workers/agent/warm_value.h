/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_AGENT_WARM_VALUE_H
#define WORKERS_AGENT_WARM_VALUE_H

#include <stdint.h>

/*
 * What a frozen container is worth: the milliseconds that its next hit is expected to save, for
 * each MiB that it holds.
 *
 *     value = saved_ms × (1 − e^(−left / gap)) / held_MiB
 *
 * saved_ms   mean cold start of the source less its mean warm start
 * gap        mean time between the source's tasks on this worker, or the time since its last one if
 *            that is longer: a source that fell silent loses its worth
 * left       time until the container is recycled anyway
 * 1 − e^(−left / gap)   chance that a task comes in that time, if tasks come at random
 */

/** What is known of a source; means are exponential, the newest sample counts a quarter. */
struct warm_history {
    double gap_s;    /**< 0: not known yet */
    double cold_ms;  /**< 0: not known yet */
    double warm_ms;  /**< 0: not known yet */
    int64_t last_us; /**< monotonic time of its last task; 0: none */
};

/** A task of the source begins now. */
void warm_saw_task(struct warm_history *h, int64_t now_us);

/** A container of the source took its task after `ms`: a fresh one, or a kept one (`warm`). */
void warm_saw_start(struct warm_history *h, int64_t ms, int warm);

/** The formula above. @held_bytes less than 1 MiB counts as 1 MiB */
double warm_value(const struct warm_history *h, int64_t now_us, int64_t retire_us,
                  int64_t held_bytes);

#endif
