/* SPDX-License-Identifier: MIT */
#ifndef CORE_COMPARE_H
#define CORE_COMPARE_H

#include <stddef.h>

#include "core/compare_math.h"
#include "lib/err.h"

/*
 * Is this tensor close enough to that one? No program asks yet: it is for deliveries in which
 * providers must agree, and there is none so far. For tensors of any size, in pieces, by any number
 * of threads or by a card: the answer has the same bits each time (core/compare_math.h says why).
 *
 * The order is fixed: element i belongs to chunk i / COMPARE_CHUNK and there to lane
 * i % COMPARE_LANES; a lane adds its elements one after another; the lanes of a chunk are added as
 * a tree (lane l += lane l + 128, then + 64, ... 1); the chunks are added in order, one by one.
 */

/** A chunk's answer: what compare_fold() takes in order. */
struct compare_part {
    uint64_t n; /**< elements */
    struct compare_counts counts;
    struct compare_lane sum;
};

/** A tensor's answer. */
struct compare_result {
    uint64_t n;
    struct compare_counts counts;
    double err2;    /**< sum of squared differences over finite pairs */
    double ref2;    /**< sum of squared expected values over finite pairs */
    double l2;      /**< sqrt(err2 / ref2); 0 when err2 is 0; infinite when only ref2 is 0 */
    bool l2_beyond; /**< the L2 criterion is asked and does not hold */
    bool close;     /**< every criterion that is asked holds; true for no elements */
};

/** A comparison in pieces. */
struct compare {
    struct compare_rule rule;
    struct compare_result total;
    struct compare_counts counts; /**< of the chunk at hand */
    struct compare_lane lanes[COMPARE_LANES];
    uint64_t at; /**< elements of the chunk at hand */
};

/**
 * Check a rule: at least one criterion asked, none NaN or infinite, nan_equals 0 or 1.
 *
 * @return E_VALIDATION with a sentence
 */
MUST_CHECK enum err_code compare_rule_check(const struct compare_rule *rule, struct err *err);

/** Bytes of an element: 4 or 2. */
size_t compare_size(enum compare_type type);

/** Begin; the rule must have passed compare_rule_check(). */
void compare_begin(struct compare *c, const struct compare_rule *rule);

/** The next `n` elements of both tensors: little-endian, any alignment, pieces of any length. */
void compare_feed(struct compare *c, const void *actual, const void *expected, uint64_t n);

/** The answer over all that was fed. */
void compare_end(struct compare *c, struct compare_result *out);

/**
 * One chunk by itself, for callers with several threads (or a card).
 *
 * @chunk     its number: elements from chunk * COMPARE_CHUNK
 * @actual    the chunk's own first element; `n` elements, at most COMPARE_CHUNK
 */
void compare_chunk(const struct compare_rule *rule, uint64_t chunk, const void *actual,
                   const void *expected, uint64_t n, struct compare_part *out);

/**
 * The answer of chunks: each but the last is full.
 *
 * @parts  chunk 0, 1, 2, ..., whoever computed them and in whatever order
 */
void compare_fold(const struct compare_rule *rule, const struct compare_part *parts, size_t n,
                  struct compare_result *out);

#endif
