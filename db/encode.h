/* SPDX-License-Identifier: MIT */
#ifndef DB_ENCODE_H
#define DB_ENCODE_H

#include <stddef.h>
#include <stdint.h>

#include "db/desc.h"
#include "db/link.h"
#include "lib/err.h"

/** The generator allows 200 parameters a statement. */
#define ENCODE_PARAMS_MAX 256

/**
 * Parameters in PostgreSQL's binary form, in one buffer that grows once and is then reused: no
 * allocation per call or parameter.
 */
struct encoder {
    uint8_t *p;
    size_t n;
    size_t room;
    size_t at[ENCODE_PARAMS_MAX];  /**< where each parameter of the statement begins */
    int length[ENCODE_PARAMS_MAX]; /**< -1: NULL */
    const char *values[ENCODE_PARAMS_MAX];
    int lengths[ENCODE_PARAMS_MAX];
    int formats[ENCODE_PARAMS_MAX];
};

void encoder_done(struct encoder *e);

/** Name of the first parameter that has no value though it is not nullable; NULL when all is well.
 */
const char *encode_missing(const struct sql_stmt *s, const void *in);

/** Bytes of text and bytea in one call: what makes a batch large. */
size_t encode_weight(const struct sql_stmt *s, const void *in);

/**
 * Encode all parameters: scalars for a read, one-dimensional arrays over the calls otherwise.
 *
 * @in     n pointers to struct sql_<name>
 * @return E_TOO_LARGE beyond 256 MiB
 */
MUST_CHECK enum err_code encode_params(struct encoder *e, const struct sql_stmt *s,
                                       const void *const *in, size_t n, struct err *err);

/** What one section of the statement uses of them; valid until the next call. */
struct link_params encode_section(struct encoder *e, const struct sql_section *x);

#endif
