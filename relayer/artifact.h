/* SPDX-License-Identifier: MIT */
#ifndef RELAYER_ARTIFACT_H
#define RELAYER_ARTIFACT_H

#include <jansson.h>

#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/err.h"

/** A compiled contract, as tools/build_contracts.mjs writes it. */
struct artifact {
    const char *name;
    struct bytes init;  /**< creation code, without the constructor's argument */
    struct bytes code;  /**< what it leaves on the chain, immutables as zeros */
    json_t *immutables; /**< name → where in the code its words are; owned */
};

/** What an immutable must be. */
struct immutable {
    const char *name;
    uint8_t word[32];
};

/** @dir with NAME.json @return E_CONFIG with a sentence that names the file */
MUST_CHECK enum err_code artifact_read(const char *dir, const char *name, struct arena *a,
                                       struct artifact *out, struct err *err);

void artifact_done(struct artifact *f);

/**
 * Whether an account's code is this contract's with these immutables, byte by byte.
 *
 * @a      for a copy of the code
 * @return E_CONFIG when it is not, or when the contract has an immutable that is not among `values`
 */
MUST_CHECK enum err_code artifact_match(const struct artifact *f, struct bytes code,
                                        const struct immutable *values, size_t n, struct arena *a,
                                        struct err *err);

#endif
