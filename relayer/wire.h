/* SPDX-License-Identifier: MIT */
#ifndef RELAYER_WIRE_H
#define RELAYER_WIRE_H

#include <jansson.h>

#include "eth/eip712.h"
#include "eth/tx.h"

/*
 * Between the relayer and its signer: one line of JSON each way over a unix socket, then closed.
 *   {"op":"address"}                        -> {"address":"0x…"}
 *   {"op":"sign_tx","chain_id":"0x…",…}     -> {"signature":"0x…"}
 *   {"op":"sign_voucher","id":"0x…",…}      -> {"signature":"0x…"}
 *   anything refused                        -> {"error":"why"}
 * The signer gets the parts and not their digest: it judges what it signs.
 */
#define WIRE_LINE_MAX ((size_t)1 << 20)

MUST_CHECK enum err_code wire_ask_address(const char *path, struct address *out, struct err *err);

/** @return E_SCOPE_DENIED with the signer's reason; E_PEER, E_TIMEOUT */
MUST_CHECK enum err_code wire_ask_signature(const char *path, const struct tx *tx,
                                            struct signature *out, struct err *err);

/** The same for a voucher. */
MUST_CHECK enum err_code wire_ask_voucher(const char *path, const struct eip712_domain *domain,
                                          const struct eip712_voucher *voucher,
                                          struct signature *out, struct err *err);

/** A voucher from a request. @return E_BAD_REQUEST */
MUST_CHECK enum err_code wire_read_voucher(const json_t *request, struct eip712_domain *domain,
                                           struct eip712_voucher *out, struct err *err);

/** A transaction from a request. @data gets its calldata; buf_done() it. @return E_BAD_REQUEST */
MUST_CHECK enum err_code wire_read_tx(const json_t *request, struct tx *out, struct buf *data,
                                      struct err *err);

/** One line from a socket, within five seconds. @return E_TIMEOUT, E_PEER, E_TOO_LARGE */
MUST_CHECK enum err_code wire_read_line(int fd, struct buf *out, struct err *err);

/** One line to a socket. @return E_TIMEOUT, E_PEER */
MUST_CHECK enum err_code wire_write_line(int fd, const json_t *v, struct err *err);

#endif
