/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_AGENT_CLAIM_H
#define WORKERS_AGENT_CLAIM_H

#include <jansson.h>

#include "core/id.h"
#include "core/manifest.h"
#include "lib/arena.h"

/** What a claim asks for. Texts borrow from the answer or live in the arena. */
struct claim {
    const char *attempt; /**< set whenever the answer has one, even when claim_read() fails */
    const char *task;
    struct uuid attempt_id;
    struct uuid task_id;
    struct uuid source_id;
    uint32_t epoch;
    int64_t lease_s;
    struct manifest source;
    struct digest manifest_hash;
    const char *function; /**< or NULL */
    struct text input;
    struct digest input_digest;
    const json_t *input_blobs;
};

/**
 * Read and check the answer to a claim: ids, and that manifest and input have the digests that will
 * be signed.
 *
 * @return E_PEER, E_BAD_MANIFEST, E_DIGEST_MISMATCH
 */
MUST_CHECK enum err_code claim_read(const json_t *v, struct claim *out, struct arena *a,
                                    struct err *err);

#endif
