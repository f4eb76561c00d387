/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_AGENT_PREDICATE_H
#define WORKERS_AGENT_PREDICATE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/manifest.h"

#define PREDICATE_CLAUSES_MAX 16
#define PREDICATE_WORD_MAX    101
#define PREDICATE_WHY_MAX     160

/*
 * What a source must be for this worker to serve it: clauses joined by `&&`, each `field op value`.
 *
 *     reward        smallest reward of a task, in OGPU: 0.5 (up to 18 decimals)
 *     memory_mb, cpu_millis, pids, timeout_s, tmp_mb, output_mb   its limits
 *     image_mb      size of the image archive, when it is a blob
 *     environment   cpu, nvidia, amd: == holds when the source runs there
 *     contract      exec, http
 *     name          the source's name; "quoted" when it has blanks
 *
 * Numbers compare by == != < <= > >=, words by == and !=.
 */

enum predicate_field {
    FIELD_REWARD,
    FIELD_MEMORY_MB,
    FIELD_CPU_MILLIS,
    FIELD_PIDS,
    FIELD_TIMEOUT_S,
    FIELD_TMP_MB,
    FIELD_OUTPUT_MB,
    FIELD_IMAGE_MB,
    FIELD_ENVIRONMENT,
    FIELD_CONTRACT,
    FIELD_NAME
};

enum predicate_op { OP_EQ, OP_NE, OP_LE, OP_LT, OP_GE, OP_GT };

struct predicate_clause {
    enum predicate_field field;
    enum predicate_op op;
    struct wei wei;                /**< FIELD_REWARD */
    int64_t number;                /**< other numbers */
    char word[PREDICATE_WORD_MAX]; /**< words; for a number as it was written */
};

struct predicate {
    struct predicate_clause clauses[PREDICATE_CLAUSES_MAX];
    size_t n; /**< 0: everything holds */
};

/** Read one; "" is the one that always holds. @return E_CONFIG naming the clause. */
MUST_CHECK enum err_code predicate_read(const char *text, struct predicate *out, struct err *err);

/** Whether a clause asks for the image's size, which must be fetched. */
bool predicate_wants_image(const struct predicate *p);

#define IMAGE_BYTES_UNKNOWN (-1)
#define IMAGE_BYTES_UNASKED (-2)

/**
 * Judge a source.
 *
 * @image_bytes  IMAGE_BYTES_UNKNOWN: a clause on it fails; IMAGE_BYTES_UNASKED: it is left out
 * @why          the first clause that failed, and what the source has instead
 */
bool predicate_holds(const struct predicate *p, const struct manifest *m, int64_t image_bytes,
                     char why[PREDICATE_WHY_MAX]);

/** Decimal OGPU ("0.25", up to 18 places) as wei. @return false when it is none or too large. */
bool ogpu_parse(const char *text, struct wei *out);

#endif
