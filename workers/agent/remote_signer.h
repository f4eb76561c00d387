/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_AGENT_REMOTE_SIGNER_H
#define WORKERS_AGENT_REMOTE_SIGNER_H

#include "eth/address.h"
#include "eth/secp.h"
#include "eth/sign.h"

/*
 * A key that another process holds, so that what breaks the worker finds no key in it. One request
 * a connection, one line each way, over a unix socket:
 *
 *     address               → 0x… (40 digits)
 *     sign <64 hex digits>  → 0x… (130 digits: r, s, v)
 *
 * Who may connect may sign: the socket's folder and mode are the door. The signer sees digests, not
 * what they stand for; it protects the key, not against its use.
 */

/** Ask for the address. @return E_PEER naming the socket. */
MUST_CHECK enum err_code remote_signer_address(const char *path, struct address *out,
                                               struct err *err);

/** Ask for a signature. @return E_PEER. */
MUST_CHECK enum err_code remote_signer_sign(const char *path, struct digest digest,
                                            struct signature *out, struct err *err);

/**
 * Serve a key until a signal ends the process (SIGTERM, SIGINT).
 *
 * @path  the socket, made with mode 0600; one that nobody listens on is replaced
 * @return E_CONFIG when it cannot be made; E_OK at the end
 */
MUST_CHECK enum err_code remote_signer_serve(const char *path, const struct signer *key,
                                             struct err *err);

#endif
