/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_AGENT_IDENTITY_H
#define WORKERS_AGENT_IDENTITY_H

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/id.h"
#include "eth/address.h"
#include "eth/eip712.h"
#include "eth/sign.h"
#include "lib/err.h"
#include "workers/options.h"

#define TOKEN_TEXT_MAX     64
#define SIGNATURE_TEXT_MAX 133 /**< 0x, 130 digits, NUL */

/** Who this worker is. Shared by its threads: token and provider id change under the mutex. */
struct identity {
    struct signer *signer;     /**< NULL: the key is with the process at `signer_socket` */
    const char *signer_socket; /**< "" when the key is ours */
    struct address address;
    struct address master;
    struct eip712_domain domain;
    _Atomic unsigned environments; /**< mask of what this machine runs */
    pthread_mutex_t mutex;
    pthread_mutex_t
        renewal; /**< held while a token is renewed: a second renewal would void the first */
    char token[TOKEN_TEXT_MAX];
    char provider[ID_TEXT_MAX];
    uint64_t generation; /**< counts tokens, so that one thread renews for all */
    uint64_t last_nonce;
    json_t *master_binding; /**< {nonce, deadline, signature} until it was used; NULL without */
};

/** Key, addresses and domain from the options. @return E_CONFIG with a sentence. */
MUST_CHECK enum err_code identity_open(struct identity *me, const struct options *o,
                                       unsigned environments, struct err *err);

/** Wipe and free. */
void identity_close(struct identity *me);

/** A number that no earlier signature of ours carried: microseconds since 1970, or one more than
 * the last. */
uint64_t identity_nonce(struct identity *me);

/** Unix seconds at which a signature made now becomes void. */
uint64_t identity_deadline(void);

/**
 * Body of POST /v1/providers.
 *
 * @with_master  with the master's signature, when there is one
 * @out          a new reference
 * @return E_PEER when the signer is away
 */
MUST_CHECK enum err_code identity_registration(struct identity *me, bool with_master, json_t **out,
                                               struct err *err);

/**
 * Sign an EIP-712 digest. A signer that is away is asked once: how long it is worth waiting for is
 * the caller's to know.
 *
 * @out  "0x…" text
 * @return E_PEER when the signer is away; never with a key of our own
 */
MUST_CHECK enum err_code identity_sign(const struct identity *me, struct digest digest,
                                       char out[SIGNATURE_TEXT_MAX], struct err *err);

/** "Authorization: Bearer …" with the token in force. @return its generation; 0 when there is none
 * yet. */
uint64_t identity_bearer(struct identity *me, char *out, size_t size);

/** Keep what the gateway answered to a registration. @return E_PEER when it is not what the
 * contract says. */
MUST_CHECK enum err_code identity_accept(struct identity *me, const json_t *reply, struct err *err);

#endif
