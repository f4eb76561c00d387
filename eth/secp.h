/* SPDX-License-Identifier: MIT */
#ifndef ETH_SECP_H
#define ETH_SECP_H

#include "lib/bytes.h"
#include "lib/err.h"

#define SIGNATURE_SIZE 65 /**< r (32) ‖ s (32) ‖ v (1) */

/** A recoverable ECDSA signature, v 27 or 28. */
struct signature {
    uint8_t b[SIGNATURE_SIZE];
};

/**
 * Who signed.
 *
 * @digest  what was signed (32 bytes, e.g. an EIP-712 digest)
 * @sig     65 bytes, v 27 or 28 only, s in the lower half of the order (EIP-2)
 * @return  E_BAD_SIGNATURE for another length, v, a high s, r or s out of range, no such point, or
 *          the zero address
 */
MUST_CHECK enum err_code secp_recover(struct digest digest, struct bytes sig, struct address *out,
                                      struct err *err);

/** E_OK when `sig` over `digest` is by `signer`; else E_BAD_SIGNATURE. */
MUST_CHECK enum err_code secp_check(struct digest digest, struct bytes sig, struct address signer,
                                    struct err *err);

/** Address of an uncompressed public key without its 0x04 byte (64 bytes). */
struct address secp_address(const uint8_t pubkey[64]);

#endif
