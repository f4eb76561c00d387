/* SPDX-License-Identifier: MIT */
#ifndef CORE_VERIFY_H
#define CORE_VERIFY_H

#include "core/outputs.h"
#include "eth/eip712.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/err.h"

/** Everything the checks of one response need, from rows alone. */
struct verify_in {
    struct eip712_domain domain;
    struct uuid task;
    struct uuid attempt;
    uint32_t epoch;
    struct address provider;
    struct text manifest; /**< the source's canonical manifest */
    struct digest manifest_hash;
    struct digest input_digest;
    struct text outputs; /**< the stored list, canonical */
    struct digest output_digest;
    struct bytes signature; /**< 65 bytes */
};

/**
 * The checks that need no I/O: the manifest has its hash, the output list fits the source's limits
 * and has its digest, and the provider signed exactly this.
 *
 * @out     the output list, for the checks of the bytes; may be NULL
 * @a       keeps what `out` points to
 * @return  E_OK; E_BAD_SIGNATURE, E_DIGEST_MISMATCH, E_VALIDATION: the response is rejected, the
 * text says why; E_INTERNAL: our rows are broken, nobody is to blame
 */
MUST_CHECK enum err_code verify_response(const struct verify_in *in, struct arena *a,
                                         struct outputs *out, struct err *err);

/** The digest a provider signs for a response. */
struct digest verify_digest(const struct verify_in *in);

#endif
