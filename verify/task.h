/* SPDX-License-Identifier: MIT */
#ifndef VERIFY_TASK_H
#define VERIFY_TASK_H

#include "eth/eip712.h"
#include "eth/event.h"
#include "eth/logtree.h"
#include "eth/secp.h"
#include "verify/document.h"

/** A task's proof as GET /v1/tasks/{task}/proof serves it. */
struct task {
    struct uuid id; /**< of the TypeID */
    struct eip712_domain domain;
    struct eip712_response response;
    struct signature signature;
    struct event event; /**< decoded from its canonical bytes */
    struct address payee;
    struct text amount; /**< as the document claims, decimal wei */
    struct text at;     /**< as the document claims, RFC 3339 */
    uint64_t epoch;
    struct logtree_path path;
    struct digest root; /**< of the log, as the document claims */
    struct digest tx;   /**< that settled the epoch, as the document claims */
};

#define AMOUNT_TEXT_MAX 79

/** Decimal text and a NUL of 32 big-endian bytes, into `out` (AMOUNT_TEXT_MAX bytes). */
void task_amount(const uint8_t amount[32], char *out);

/** Read a document. @return E_VALIDATION with the member that is wrong; memory in the arena */
MUST_CHECK enum err_code task_read(const json_t *document, struct arena *a, struct task *out,
                                   struct err *err);

/**
 * Check that the provider signed this response, that the event says the same and was accepted in
 * this epoch, and that the log has the event.
 *
 * @log_root  the epoch's, which the caller trusts
 * @return    E_DIGEST_MISMATCH with what differs
 */
MUST_CHECK enum err_code task_check(const struct task *t, const struct digest *log_root,
                                    struct err *err);

#endif
