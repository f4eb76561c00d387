/* SPDX-License-Identifier: MIT */
#ifndef ETH_TX_H
#define ETH_TX_H

#include "eth/secp.h"
#include "lib/buf.h"

enum tx_type {
    TX_LEGACY, /**< EIP-155: gas price is max_fee */
    TX_EIP1559 /**< type 2 */
};

struct tx {
    enum tx_type type;
    uint64_t chain_id; /**< 64 bits: EIP-155's v = chain_id × 2 + 35 may need 65 */
    uint64_t nonce;
    uint64_t gas;
    uint64_t max_fee;      /**< wei per gas */
    uint64_t priority_fee; /**< wei per gas; EIP-1559 only */
    bool create;           /**< deploy: `to` is left empty */
    struct address to;
    uint8_t value[32]; /**< wei, big endian */
    struct bytes data; /**< borrowed */
};

/** What the key signs. */
MUST_CHECK enum err_code tx_sign_digest(const struct tx *tx, struct digest *out, struct err *err);

/**
 * The raw signed transaction, for eth_sendRawTransaction.
 *
 * @sig   over tx_sign_digest(), v 27/28
 * @raw   appended to; must be empty before
 * @hash  the transaction's hash
 */
MUST_CHECK enum err_code tx_encode(const struct tx *tx, const struct signature *sig,
                                   struct buf *raw, struct digest *hash, struct err *err);

/** Where a contract made by `from`'s transaction (or, for a contract, creation) `nonce` lies. */
struct address tx_created(struct address from, uint64_t nonce);

#endif
