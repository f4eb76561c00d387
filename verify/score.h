/* SPDX-License-Identifier: MIT */
#ifndef VERIFY_SCORE_H
#define VERIFY_SCORE_H

#include "eth/score.h"
#include "verify/document.h"

/** A score proof as GET /v1/providers/{provider}/reputation/proof serves it. */
struct score {
    struct score_leaf leaf;
    struct siblings proof;
    struct digest root; /**< as the document claims */
};

/** Read a document. @return E_VALIDATION with the member that is wrong; memory in the arena */
MUST_CHECK enum err_code score_read(const json_t *document, struct arena *a, struct score *out,
                                    struct err *err);

/** What a root is known by: the chain keeps its first 20 bytes only. */
#define SCORE_ROOT_KEPT 20

/**
 * Check a score as Scores.verifyScore would.
 *
 * @root  the first `n` bytes of the epoch's score root, n 20 or 32
 * @return E_DIGEST_MISMATCH with what differs
 */
MUST_CHECK enum err_code score_check(const struct score *s, const uint8_t *root, size_t n,
                                     struct err *err);

#endif
