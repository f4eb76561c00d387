/* SPDX-License-Identifier: MIT */
#ifndef RELAYER_KEY_H
#define RELAYER_KEY_H

#include "eth/eip712.h"
#include "eth/sign.h"
#include "eth/tx.h"

/*
 * Who signs for the lane: a key in this process, or a signer process behind a unix socket that has
 * the key and a policy of its own.
 */
struct key;

/** A key file as eth/sign.h reads it, or a keystore V3 whose password @password_file holds ("" for
 * none; one newline at its end is not part of it). @return E_CONFIG with a sentence that names the
 * file */
MUST_CHECK enum err_code key_load(const char *path, const char *password_file, struct signer **out,
                                  struct err *err);

/** The same, as a lane's key. */
MUST_CHECK enum err_code key_open_file(const char *path, const char *password_file,
                                       struct key **out, struct err *err);

/** The key of the signer behind this socket. @return E_PEER, E_TIMEOUT when it is away */
MUST_CHECK enum err_code key_open_socket(const char *path, struct key **out, struct err *err);

/** Wipe and free; NULL allowed. */
void key_free(struct key *k);

struct address key_address(const struct key *k);

/** Sign a transaction. @return E_SCOPE_DENIED when the signer's policy forbids it; E_PEER,
 * E_TIMEOUT when it is away or signs with another key */
MUST_CHECK enum err_code key_sign_tx(struct key *k, const struct tx *tx, struct signature *out,
                                     struct err *err);

/** Sign a voucher. @return as key_sign_tx() */
MUST_CHECK enum err_code key_sign_voucher(struct key *k, const struct eip712_domain *domain,
                                          const struct eip712_voucher *voucher,
                                          struct signature *out, struct err *err);

#endif
