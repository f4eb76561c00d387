/* SPDX-License-Identifier: MIT */
#ifndef LIB_PATTERN_H
#define LIB_PATTERN_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/bytes.h"

/**
 * A regular expression of the contract as a finished automaton, made at build time by
 * tools/gen/pattern.mjs.
 *
 * Constant data instead of regcomp(): nothing to set up, no lock, no backtracking, time linear in
 * the text. The whole text must match. State 0 is "can no longer match", state 1 is the start.
 */
struct pattern {
    const char *text; /**< the expression as the contract has it, for messages */
    const uint8_t
        *class_of;        /**< 128 entries, the class of each ASCII character; 0: occurs nowhere */
    const uint16_t *next; /**< next[state * n_classes + class] */
    const uint8_t *accepts; /**< by state: 1 when the text may end here */
    uint16_t n_classes;
};

/** Whether the whole of `s` matches; a byte above 127 never does. */
bool pattern_matches(const struct pattern *p, struct text s);

#endif
