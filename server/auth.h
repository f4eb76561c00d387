/* SPDX-License-Identifier: MIT */
#ifndef SERVER_AUTH_H
#define SERVER_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/bytes.h"
#include "lib/err.h"
#include "server/op.h"
#include "server/route.h"

struct guard;
struct loop;

/** What the caller showed, after its text was checked and before anyone looked it up. */
struct credential {
    enum who_kind kind; /**< WHO_NOBODY: none needed */
    struct digest hash; /**< SHA-256 of the token's text, as stored */
};

/**
 * Read `Authorization: Bearer …` or `X-API-Key: …` as far as the route needs it.
 *
 * A mistyped or cut token fails here, by its checksum, without a look-up.
 *
 * @return E_MISSING_CREDENTIALS; E_INVALID_API_KEY; E_SCOPE_DENIED when the kind of token may not
 * call this route; E_BAD_REQUEST when both headers are there
 */
MUST_CHECK enum err_code credential_read(const struct guard *g, const struct route *route,
                                         struct credential *out, struct err *err);

/**
 * Who stands behind a hash, remembered so that authentication costs no round trip. HTTP thread
 * only, but for auth_revoked().
 */
struct auth;

/**
 * @entries_max  most remembered tokens; the one longest unused leaves first, roughly
 */
struct auth *auth_new(struct loop *loop, size_t entries_max);
void auth_free(struct auth *auth);

/**
 * First step of every operation: find out who asks, then `then`. Fails with E_INVALID_API_KEY,
 * E_KEY_REVOKED, E_SCOPE_DENIED.
 *
 * Operations that change something use a remembered token at any age, because their statements
 * recheck its row; those that read use it only while revocations are heard (see auth_fresh_by()).
 */
enum op_next auth_step(struct op *op, op_step then);

/**
 * How to learn whether revocations are heard right now. Until this is called they are not, and
 * reads look every token up.
 *
 * @fresh  any state it needs is in ctx; called on the HTTP thread
 */
void auth_fresh_by(struct auth *auth, bool (*fresh)(void *ctx), void *ctx);

/**
 * A key was revoked or a provider's token renewed; any thread.
 *
 * @id  key or provider; all zero: forget everything (the link that brings revocations was lost)
 */
void auth_revoked(struct auth *auth, struct uuid id);

/** Counters, for /metrics. */
struct auth_stats {
    size_t entries;
    uint64_t hits;
    uint64_t misses;
    uint64_t forgotten;
};
void auth_stats(const struct auth *auth, struct auth_stats *out);

#endif
