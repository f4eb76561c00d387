/* SPDX-License-Identifier: MIT */
#ifndef ETH_ABI_TREE_H
#define ETH_ABI_TREE_H

#include "lib/arena.h"
#include "lib/buf.h"
#include "lib/bytes.h"
#include "lib/err.h"

/*
 * The contract ABI for any nesting: tuples, dynamic arrays, strings, bytes (Solidity's "Contract
 * ABI Specification"). Types are read from text such as
 * "(address client,(string a,uint256[] b)[] list)", so a table of texts describes a whole contract.
 * eth/abi.h is the flat form that needs no arena; this one reads what strangers' contracts say.
 */

enum abi_kind {
    ABI_UINT,   /**< uintN, address (160), bool (1): a right-aligned word of `size` bits */
    ABI_FIXED,  /**< bytesN: a left-aligned word of `size` bytes */
    ABI_BYTES,  /**< bytes */
    ABI_STRING, /**< string; not promised to be UTF-8 */
    ABI_ARRAY,  /**< T[], one child */
    ABI_TUPLE,  /**< (…), at least one child unless it is the outermost */
};

#define ABI_DEPTH_MAX 8  /**< tuples and arrays inside each other */
#define ABI_TYPES_MAX 48 /**< types in one text */

/** One type. Types lie in preorder: the children of t are t + 1, (t + 1) + (t + 1)->span, … */
struct abi_type {
    enum abi_kind kind;
    uint16_t size;
    uint16_t children;
    uint16_t span;    /**< this type and all inside it */
    bool dynamic;     /**< its head is an offset */
    bool indexed;     /**< of an event's argument: in a topic */
    size_t head;      /**< bytes its head takes: 32 when dynamic */
    struct text word; /**< "address", "uint8"; of arrays and tuples no value */
    struct text name; /**< of the parameter; points into the text; may be empty */
};

/** A list of types: a tuple at [0] and everything inside it. */
struct abi_types {
    struct abi_type t[ABI_TYPES_MAX];
};

/** A value; which members count follows from its type. */
struct abi_node {
    uint8_t word[32];       /**< UINT, FIXED, as the chain carries it */
    struct bytes data;      /**< BYTES, STRING */
    struct abi_node *items; /**< ARRAY, TUPLE */
    size_t n;               /**< items */
};

/**
 * Read "(type name,type indexed name,…)"; names may be left out.
 *
 * @text    must outlive `out`
 * @return  E_INTERNAL for a text that is wrong in our own code
 */
MUST_CHECK enum err_code abi_types_parse(const char *text, struct abi_types *out, struct err *err);

/** Append the canonical form, without names: "(address,(string,uint256[])[])". @return E_TOO_LARGE
 */
MUST_CHECK enum err_code abi_types_canonical(const struct abi_types *types, struct buf *out,
                                             struct err *err);

/**
 * Append the encoding of a tuple.
 *
 * @value   a node with one item per type of the outermost tuple
 * @return  E_RANGE when a value does not fit its type; E_TOO_LARGE beyond the buffer's cap
 */
MUST_CHECK enum err_code abi_tree_encode(const struct abi_types *types,
                                         const struct abi_node *value, struct buf *out,
                                         struct err *err);

/**
 * Decode a tuple. One encoding per value: every offset must be where the encoders of Solidity,
 * ethers and viem put it, so tails can neither overlap nor loop and what is allocated is bounded by
 * a small multiple of `data`.
 *
 * @out     items in the arena; their bytes point into `data`
 * @return  E_PEER for anything malformed, cut, padded with other than zeros, or left over
 */
MUST_CHECK enum err_code abi_tree_decode(const struct abi_types *types, struct bytes data,
                                         struct arena *a, struct abi_node *out, struct err *err);

/**
 * Split an event's arguments.
 *
 * @indexed  which half: those in topics, or those in the data
 * @out      a tuple of that half, in order
 */
void abi_types_half(const struct abi_types *types, bool indexed, struct abi_types *out);

/** Whether the word carries no bits beyond its type (UINT or FIXED). */
bool abi_word_fits(const struct abi_type *t, const uint8_t word[32]);

#endif
