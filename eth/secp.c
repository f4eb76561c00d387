/* SPDX-License-Identifier: MIT */
#include "eth/secp.h"

#include <pthread.h>
#include <secp256k1.h>
#include <secp256k1_recovery.h>
#include <stdlib.h>
#include <string.h>

#include "eth/address.h"
#include "eth/keccak.h"

/* Half of the group order: the largest s that EIP-2 allows. */
static const uint8_t half_order[32] = {
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0};

/* Recovery reads the context only, so that one serves all threads. */
static secp256k1_context *context;
static pthread_once_t context_once = PTHREAD_ONCE_INIT;

static void context_make(void)
{
    context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
    if (!context)
        abort();
}

struct address secp_address(const uint8_t pubkey[64])
{
    struct digest h = keccak256(pubkey, 64);
    struct address a;

    memcpy(a.b, h.b + 12, sizeof(a.b));
    return a;
}

enum err_code secp_recover(struct digest digest, struct bytes sig, struct address *out,
                           struct err *err)
{
    secp256k1_ecdsa_recoverable_signature parsed;
    secp256k1_pubkey key;
    struct address who;
    uint8_t raw[65];
    size_t n = sizeof(raw);

    pthread_once(&context_once, context_make);
    if (!sig.p || sig.n != SIGNATURE_SIZE)
        return err_set(err, E_BAD_SIGNATURE, "a signature has 65 bytes");
    if (sig.p[64] != 27 && sig.p[64] != 28)
        return err_set(err, E_BAD_SIGNATURE, "v must be 27 or 28");
    if (memcmp(sig.p + 32, half_order, sizeof(half_order)) > 0)
        return err_set(err, E_BAD_SIGNATURE, "s is in the upper half of the order");
    if (!secp256k1_ecdsa_recoverable_signature_parse_compact(context, &parsed, sig.p,
                                                             sig.p[64] - 27) ||
        !secp256k1_ecdsa_recover(context, &key, &parsed, digest.b))
        return err_set(err, E_BAD_SIGNATURE, "no key made this signature");
    secp256k1_ec_pubkey_serialize(context, raw, &n, &key, SECP256K1_EC_UNCOMPRESSED);
    who = secp_address(raw + 1);
    if (address_is_zero(who))
        return err_set(err, E_BAD_SIGNATURE, "the zero address signs nothing");
    *out = who;
    return E_OK;
}

enum err_code secp_check(struct digest digest, struct bytes sig, struct address signer,
                         struct err *err)
{
    struct address who;
    enum err_code rc = secp_recover(digest, sig, &who, err);

    if (rc != E_OK)
        return rc;
    if (!address_eq(who, signer))
        return err_set(err, E_BAD_SIGNATURE, "the signature is by another key");
    return E_OK;
}
