/* SPDX-License-Identifier: MIT */
#ifndef RELAYER_RECORD_H
#define RELAYER_RECORD_H

#include "lib/arena.h"
#include "relayer/fees.h"
#include "relayer/terms.h"

#define RECORD_TXS_MAX 64

/** One signed deployment; all of a record share a nonce, so at most one of them is ever mined. */
struct record_tx {
    struct digest hash;
    struct bytes raw;
    struct fees fees;
};

/** What a deployment is and how far it is: on disk before anything is sent. */
struct record {
    uint64_t chain_id;
    struct address deployer;
    uint64_t nonce;
    uint64_t gas;
    struct terms terms;
    struct digest init; /**< Keccak-256 of the creation code and its argument */
    struct address settlement;
    struct address vault;
    struct address lock; /**< the admin's time lock */
    struct record_tx txs[RECORD_TXS_MAX];
    size_t n_txs;
    bool final;
    uint64_t block; /**< once final */
    struct digest tx;
};

/** As an object for people and programs; with `raw` also the signed bytes, while not final. A new
 * reference. */
json_t *record_json(const struct record *rec, bool raw);

/** Write it: to a new file that takes the old one's place once it is on the disk. @return E_CONFIG
 */
MUST_CHECK enum err_code record_write(const char *path, const struct record *rec, struct err *err);

/**
 * Read it.
 *
 * @a     for the signed bytes
 * @return E_NOT_FOUND when there is no such file; E_CONFIG when it is no record
 */
MUST_CHECK enum err_code record_read(const char *path, struct arena *a, struct record *out,
                                     struct err *err);

#endif
