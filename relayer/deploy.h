/* SPDX-License-Identifier: MIT */
#ifndef RELAYER_DEPLOY_H
#define RELAYER_DEPLOY_H

#include "relayer/artifact.h"
#include "relayer/record.h"
#include "relayer/relayer.h"

/** A deployment at work. */
struct deploy {
    struct relayer r; /**< node, key and fee caps; no database */
    struct artifact settlement;
    struct artifact vault;
    struct artifact lock;
    struct buf init; /**< creation code and argument */
    struct record rec;
    const char *path; /**< of the record */
    int64_t poll_ms;
    int64_t wait_s; /**< give up waiting after this long; the record says how to go on */
};

/**
 * Choose nonce, gas and addresses for a deployment with these terms (relayer/deploy_send.c).
 *
 * @cost  what it may cost at most, at what gas costs now
 * @return E_BUSY while the deployer has other transactions under way; E_PEER when the node refuses
 * the creation
 */
MUST_CHECK enum err_code deploy_plan(struct deploy *d, struct wei *cost, struct wei *balance,
                                     struct err *err);

/** Sign the planned deployment at today's fees and store it; deploy_wait() sends it. */
MUST_CHECK enum err_code deploy_begin(struct deploy *d, struct err *err);

/**
 * Until one of the record's transactions is final: say them again, raise their fee. The record then
 * names block and transaction, in memory alone.
 *
 * @return E_TIMEOUT after wait_s or at a signal; E_NONCE_USED when another transaction is final in
 * its place; E_INTERNAL when it reverted
 */
MUST_CHECK enum err_code deploy_wait(struct deploy *d, struct err *err);

/**
 * Whether the chain holds what a final record says: the transaction carried this code and argument,
 * all three contracts have the compiled code with the immutables that follow from the terms, and
 * the roles are the record's (relayer/deploy_check.c).
 *
 * @changed  gets the names of the terms that are different by now; the admin may have changed them
 * @return   E_CONFIG with what is different, for anything that cannot change
 */
MUST_CHECK enum err_code deploy_check(struct deploy *d, json_t *changed, struct err *err);

#endif
