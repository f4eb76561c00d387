/* SPDX-License-Identifier: MIT */
#ifndef CORE_ORIGIN_H
#define CORE_ORIGIN_H

#include "core/id.h"

/*
 * Where a source or task lives: in this gateway, or in a contract of upstream's protocol that is
 * only mirrored here. The id itself says which, so that no write needs a look into the database to
 * refuse what lives elsewhere.
 */

/**
 * Id of what lives at a contract address: the same for everyone who mirrors that chain. A UUIDv8
 * (RFC 9562 5.8) of a SHA-256 over kind, chain id and address; ids made here are version 7.
 */
struct uuid origin_chain_id(enum id_kind kind, uint64_t chain_id, struct address at);

/** Whether the id is of something that lives on a chain. */
bool origin_is_chain(struct uuid id);

#endif
