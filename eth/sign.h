/* SPDX-License-Identifier: MIT */
#ifndef ETH_SIGN_H
#define ETH_SIGN_H

#include "eth/secp.h"

/*
 * A private key. Lives in an archive of its own (libethsign.a): only the relayer and the worker
 * link it, so the linker proves that a gateway cannot sign.
 */
struct signer;

/**
 * Load a key file: 32 raw bytes, or 64 hex digits with optional 0x and one newline.
 *
 * @path    a regular file of ours, not a symlink, no access for group and others
 * @out     locked in memory where the system allows; free with signer_free()
 * @return  E_CONFIG with a sentence that names the file
 */
MUST_CHECK enum err_code signer_load(const char *path, struct signer **out, struct err *err);

/**
 * Make a random key and write it as hex to a new file, mode 0600.
 *
 * @return  E_CONFIG when the file exists or cannot be written; nothing is overwritten
 */
MUST_CHECK enum err_code signer_create(const char *path, struct signer **out, struct err *err);

/** A signer from 32 bytes (tests, derived keys). @return E_CONFIG when it is no valid key. */
MUST_CHECK enum err_code signer_from_bytes(const uint8_t key[32], struct signer **out,
                                           struct err *err);

/** Wipe and free; NULL allowed. */
void signer_free(struct signer *s);

struct address signer_address(const struct signer *s);

/** Sign a digest (RFC 6979 nonce, low s, v 27/28). May be called by several threads. */
struct signature signer_sign(const struct signer *s, struct digest digest);

#endif
