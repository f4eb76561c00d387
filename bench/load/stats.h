/* SPDX-License-Identifier: MIT */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** Latencies of one kind of unit, in microseconds. */
struct samples {
    uint32_t *us;
    size_t n;
    size_t cap;
};

/** What came back. */
struct stats {
    struct samples submit;
    struct samples read;
    struct samples round;
    uint64_t by_status[600]; /**< all answers, warm-up too */
    uint64_t hung;           /**< no complete answer in time */
    uint64_t lost;           /**< the connection broke before the answer */
    uint64_t reconnects;     /**< idle connections that the server closed */
    uint64_t unexpected;     /**< answers that the traffic did not hope for */
    uint64_t empty;          /**< claims that found nothing */
    char first_unexpected[400];
};

void samples_add(struct samples *s, int64_t us);
void samples_free(struct samples *s);

/** Keep the first answer that was not hoped for, count them all. */
void stats_unexpected(struct stats *s, int status, const char *body, size_t n);

/**
 * One JSON object: per kind of unit n, per_s, p50_ms, p99_ms, max_ms; statuses; faults.
 *
 * @seconds  that the counted units took together
 */
void stats_print(struct stats *s, double seconds, FILE *out);

#endif
