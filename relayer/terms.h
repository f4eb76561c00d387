/* SPDX-License-Identifier: MIT */
#ifndef RELAYER_TERMS_H
#define RELAYER_TERMS_H

#include <jansson.h>

#include "eth/abi.h"

/** What a new Settlement is told, in the order of its constructor's argument (contracts/Roles.sol):
 * who holds which key, every wait in seconds, and the daily cap in units. */
enum term {
    TERM_SETTLER,
    TERM_SIGNER,
    TERM_GUARDIAN,
    TERM_ADMIN,
    TERM_DELAY,
    TERM_ADMIN_DELAY,
    TERM_SILENCE,
    TERM_WINDOW,
    TERM_UNBONDING,
    TERM_APPEAL,
    TERM_DAILY_CAP,
    TERMS
};
#define TERM_ROLES 4 /**< the first four are addresses, all others numbers */

struct terms {
    struct abi_value v[TERMS];
};

/** "settler", "admin_delay": in records and sentences. */
const char *term_name(enum term t);

/**
 * Whether a contract with these terms could do what docs/settlement.md says of it; some of it the
 * contract refuses itself, some nobody else would.
 *
 * @return E_CONFIG with a sentence that says why not
 */
MUST_CHECK enum err_code terms_check(const struct terms *t, struct err *err);

/** The constructor's argument, ABI encoded. @out appended to */
MUST_CHECK enum err_code terms_encode(const struct terms *t, struct buf *out, struct err *err);

/** As an object: addresses in EIP-55, seconds as numbers, the cap as decimal text. A new reference.
 */
json_t *terms_json(const struct terms *t);

/** The reverse. @return E_CONFIG for anything else */
MUST_CHECK enum err_code terms_read(const json_t *v, struct terms *out, struct err *err);

#endif
