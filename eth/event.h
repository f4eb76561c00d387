/* SPDX-License-Identifier: MIT */
#ifndef ETH_EVENT_H
#define ETH_EVENT_H

#include "lib/bytes.h"

/*
 * What happened to one attempt, in the bytes that logRoot and a leaf's events root stand over.
 * Numbers are big endian; every event has the same length (docs/settlement.md, "Proofs"):
 *
 *   kind 1 · epoch 8 · task 16 · attempt 16 · provider 20 · payee 20 · response 32 · amount 32 · at
 * 8
 */
#define EVENT_SIZE 153

enum event_kind {
    EVENT_ACCEPTED = 1, /**< the response won and is paid */
    EVENT_REJECTED = 2, /**< the response failed a check */
    EVENT_EXPIRED = 3   /**< no response: the lease ran out, or the provider gave up */
};

struct event {
    enum event_kind kind;
    uint64_t epoch; /**< of the batch */
    struct uuid task;
    struct uuid attempt;
    struct address provider;
    struct address payee;   /**< the master that earns */
    struct digest response; /**< what the provider signed (EIP-712); zero when there is none */
    uint8_t amount[32];     /**< wei the payee got; zero unless accepted */
    uint64_t at_us;         /**< when it was decided, microseconds since 1970 UTC */
};

/** The canonical bytes. */
void event_encode(const struct event *e, uint8_t out[EVENT_SIZE]);

/** The reverse. @return false for an unknown kind */
bool event_decode(const uint8_t in[EVENT_SIZE], struct event *out);

/** The event's leaf in an RFC 6962 tree. */
struct digest event_leaf(const struct event *e);

#endif
