/* SPDX-License-Identifier: MIT */
#ifndef RELAYER_RELAYER_H
#define RELAYER_RELAYER_H

#include "db/conn.h"
#include "eth/rpc.h"
#include "eth/sign.h"
#include "lib/arena.h"
#include "relayer/fees.h"

/** What keeps the forced exit shut: a batch that has become claimable, no longer ago than the
 * contract's silence. */
struct life {
    uint64_t born; /**< when the contract was made, Unix seconds */
    uint64_t
        silence;    /**< seconds without a claimable batch after which anyone may begin the exit */
    uint64_t delay; /**< seconds from a batch until it is claimable */
    int64_t beat_s; /**< settle at least this often; 0 until the contract was asked */
};

/** The relayer: one key, one nonce lane, the only process that signs for the chain. One thread. */
struct relayer {
    struct rpc *rpc;
    struct db_conn *db;
    struct signer *signer;
    struct arena *arena; /**< of one step */
    struct address sender;
    struct address settlement;
    uint64_t chain_id;
    bool legacy; /**< the chain has no base fee: EIP-155 transactions */
    int64_t batch_age_s;
    int64_t batch_count;
    int64_t batch_max;
    int64_t in_flight_max;
    int64_t resend_s; /**< say unmined transactions again after this long */
    int64_t bump_s;   /**< replace them with a higher fee after this long */
    struct fee_cap cap;
    int64_t keepalive_s; /**< the operator's own figure for life.beat_s; 0: from the contract */
    struct life life;
};

/** A batch on its way, as the database has it. */
struct batch {
    struct uuid id;
    int64_t epoch;
    int64_t increase_units;
    struct bytes entries;
    struct digest root;
    struct digest score_root;
    struct digest log_root;
    struct bytes log_leaves; /**< only while it is being sealed */
};

/** Advisory lock that admits one relayer. */
#define RELAYER_LOCK 7302

/**
 * One round: form a batch when it is time, then take every unsettled batch one step further. Each
 * arrow survives a crash: what is decided is stored before it is acted on, and the round begins
 * from the rows.
 *
 * @return  E_PEER, E_TIMEOUT (node), E_DB_DOWN, E_BUSY: try again; others are alarms, said and
 * tried again
 */
MUST_CHECK enum err_code relayer_step(struct relayer *r, struct err *err);

/**
 * Ask the contract for its silence and choose how often to settle when there is nothing to settle
 * (relayer/life.c).
 *
 * @return as rpc_read(); E_CONFIG when the operator's figure would let the exit open
 */
MUST_CHECK enum err_code relayer_life(struct relayer *r, struct err *err);

/** Gather payable entries into the next epoch when they are many or old enough (relayer/form.c). */
MUST_CHECK enum err_code relayer_form(struct relayer *r, struct err *err);

/** Fix a batch's calldata entries and roots, once (relayer/form.c). @batch gets them */
MUST_CHECK enum err_code relayer_seal(struct relayer *r, struct batch *batch, struct err *err);

/** Sign, store, send, watch and, when stuck, replace the transaction of a sealed batch
 * (relayer/send.c). */
MUST_CHECK enum err_code relayer_send(struct relayer *r, const struct batch *batch,
                                      struct err *err);

#endif
