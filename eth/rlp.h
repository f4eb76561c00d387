/* SPDX-License-Identifier: MIT */
#ifndef ETH_RLP_H
#define ETH_RLP_H

#include "lib/buf.h"
#include "lib/bytes.h"

/* Recursive Length Prefix (Yellow Paper, appendix B). */

/** Append a byte string. @return E_TOO_LARGE beyond the buffer's cap. */
MUST_CHECK enum err_code rlp_bytes(struct buf *out, const void *p, size_t n, struct err *err);

/** Append a big-endian number of `n` bytes without its leading zeros (0 is the empty string). */
MUST_CHECK enum err_code rlp_number(struct buf *out, const uint8_t *be, size_t n, struct err *err);

/** Append a 64-bit number. */
MUST_CHECK enum err_code rlp_u64(struct buf *out, uint64_t v, struct err *err);

/** Append a list whose items were encoded into `items` before. */
MUST_CHECK enum err_code rlp_list(struct buf *out, struct bytes items, struct err *err);

struct rlp_item {
    bool list;
    struct bytes payload; /**< points into the input */
};

/**
 * Take the first item off `in`. Strict: one encoding per value only.
 *
 * @in      moved behind the item on success; untouched otherwise
 * @return  E_PEER for cut, oversized or non-canonical input
 */
MUST_CHECK enum err_code rlp_take(struct bytes *in, struct rlp_item *out, struct err *err);

#endif
