/* SPDX-License-Identifier: MIT */
#ifndef HANDLERS_RANGE_H
#define HANDLERS_RANGE_H

#include <stdint.h>

#include "lib/bytes.h"

enum range_kind {
    RANGE_WHOLE,  /**< none, not bytes, malformed or several: RFC 9110 14.2 lets us ignore them */
    RANGE_PART,   /**< one range that can be satisfied */
    RANGE_BEYOND, /**< one range outside of the bytes: 416 */
};

/** Bytes of one answer. */
struct range {
    int64_t first;
    int64_t length;
};

/**
 * Read a Range header (RFC 9110 14.1.2).
 *
 * @value  no value when absent
 * @size   of the whole, bytes
 * @out    written for RANGE_WHOLE and RANGE_PART
 */
enum range_kind range_read(struct text value, int64_t size, struct range *out);

#endif
