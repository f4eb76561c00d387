/* SPDX-License-Identifier: MIT */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/** A decoder under test: takes any bytes. What it must never do (read beyond, crash, hang, answer
 * what does not encode back) ends the process. */
struct fuzz_target {
    const char *name; /**< folder of its seeds */
    void (*run)(const uint8_t *p, size_t n);
};

extern const struct fuzz_target fuzz_targets[];
extern const size_t fuzz_targets_n;

#endif
