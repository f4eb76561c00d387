/* SPDX-License-Identifier: MIT */
#ifndef RELAYER_KEYSTORE_H
#define RELAYER_KEYSTORE_H

#include "eth/sign.h"

/**
 * Open a keystore of version 3 (Web3 Secret Storage): scrypt or PBKDF2 with HMAC-SHA256,
 * AES-128-CTR, a Keccak-256 MAC.
 *
 * @json      the file's text
 * @password  its bytes
 * @return    E_CONFIG: not such a file, figures that would take more than KEYSTORE_MEMORY_MAX or
 *            minutes, a wrong password, or an address that is not the key's
 */
MUST_CHECK enum err_code keystore_open(struct bytes json, struct bytes password,
                                       struct signer **out, struct err *err);

/** Bytes that a keystore's scrypt may use. */
#define KEYSTORE_MEMORY_MAX ((uint64_t)1 << 30)

#endif
