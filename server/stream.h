/* SPDX-License-Identifier: MIT */
#ifndef SERVER_STREAM_H
#define SERVER_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "server/op.h"

/*
 * Bodies too large to hold (blob uploads).
 *
 * `parse` runs when the headers are in and the credentials were checked, with path and query read.
 * It and the steps it starts may refuse with OP_REPLY: nothing was read then, and a client that
 * sent `Expect: 100-continue` has sent nothing. Otherwise one of them returns OP_MORE. The server
 * then collects pieces and calls `body(op, piece, n)` for each: at most STREAM_PIECE bytes, valid
 * until a step returns OP_MORE again. While its steps run (usually op_pool() to write and hash)
 * nothing is read from the socket, so one piece per upload is all the memory there is. At the end
 * of the body comes `body(op, NULL, 0)`, whose steps reply. A reply before that throws the rest of
 * the body away.
 */

#define STREAM_PIECE ((size_t)1 << 20)

/** Declared length of the body in bytes; -1 when it comes in chunks, or there is none. */
int64_t op_content_length(const struct op *op);

/**
 * Run `run(arg)` on the HTTP thread when the request is over, whatever its end (also when the
 * client went away in the middle of a body). Last registered runs first.
 */
void op_defer(struct op *op, void (*run)(void *arg), void *arg);

/* The server's side; HTTP thread. */

struct request;
struct stream;

/** Take body bytes. @return how many were taken; fewer than `n` when the piece is full or a step
 * runs. */
size_t stream_take(struct request *req, const char *data, size_t n);

/** The body has ended: hand over what is left, then the end. Call again while it leaves STAGE_BODY.
 */
void stream_end(struct request *req);

/** Give the piece buffer back. */
void stream_free(struct request *req);

#endif
