/* SPDX-License-Identifier: MIT */
#include "workers/agent/warm_value.h"

#include <math.h>

#define NEWEST 0.25
/* Before a second task was seen: as if one came in ten minutes. */
#define GAP_UNKNOWN_S 600.0

static double blend(double mean, double sample)
{
    return mean <= 0 ? sample : mean + NEWEST * (sample - mean);
}

void warm_saw_task(struct warm_history *h, int64_t now_us)
{
    if (h->last_us > 0 && now_us > h->last_us)
        h->gap_s = blend(h->gap_s, (double)(now_us - h->last_us) / 1e6);
    h->last_us = now_us;
}

void warm_saw_start(struct warm_history *h, int64_t ms, int warm)
{
    double *mean = warm ? &h->warm_ms : &h->cold_ms;
    *mean = blend(*mean, ms > 0 ? (double)ms : 1.0);
}

double warm_value(const struct warm_history *h, int64_t now_us, int64_t retire_us,
                  int64_t held_bytes)
{
    double left_s = (double)(retire_us - now_us) / 1e6;
    double idle_s = (double)(now_us - h->last_us) / 1e6;
    double gap_s = h->gap_s > 0 ? h->gap_s : GAP_UNKNOWN_S;
    double saved_ms = h->cold_ms - h->warm_ms;
    double mib = (double)held_bytes / 1048576.0;
    if (left_s <= 0 || saved_ms <= 0)
        return 0;
    if (idle_s > gap_s)
        gap_s = idle_s;
    return saved_ms * -expm1(-left_s / gap_s) / (mib < 1 ? 1 : mib);
}
