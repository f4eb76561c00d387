/* SPDX-License-Identifier: MIT */
#ifndef ETH_RPC_SHAPE_H
#define ETH_RPC_SHAPE_H

#include <jansson.h>

#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/err.h"

/*
 * Reading the parts of a node's answer. All take a member of an object (NULL allowed: missing),
 * name it in the error text, and answer E_PEER for anything but the expected shape.
 */

/** "0x1a" up to 64 bits. */
MUST_CHECK enum err_code shape_u64(const json_t *v, const char *what, uint64_t *out,
                                   struct err *err);

/** Exactly `n` bytes as 0x and hex. */
MUST_CHECK enum err_code shape_fixed(const json_t *v, const char *what, uint8_t *out, size_t n,
                                     struct err *err);

/** A quantity up to 256 bits as 32 bytes big endian. */
MUST_CHECK enum err_code shape_word(const json_t *v, const char *what, uint8_t out[32],
                                    struct err *err);

/** Any bytes as 0x and hex, in the arena. */
MUST_CHECK enum err_code shape_bytes(const json_t *v, const char *what, struct arena *a,
                                     struct bytes *out, struct err *err);

/** Bytes as a new JSON string, 0x and hex. */
json_t *shape_json(const void *p, size_t n);

#endif
