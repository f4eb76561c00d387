/* SPDX-License-Identifier: MIT */
#ifndef SERVER_APP_H
#define SERVER_APP_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/bytes.h"

struct db_lanes;
struct queue_thread;
struct pool;
struct blobs;
struct loop;
struct keeper;

/** What every operation and background job of this gateway may use. Made in gateway/main.c; lives
 * as long as the process. */
struct app {
    /* configuration, read-only after start */
    const char *listen;     /**< host:port */
    const char *public_url; /**< for links in documents that leave the API; "" = relative */
    const char *database_url;
    const char *redis_url;
    const char *blob_dir;
    const char *docs_dir;
    uint64_t chain_id;
    struct address settlement; /**< EIP-712 verifyingContract */
    struct address vault;
    int64_t claim_delay_s; /**< the contract's delay, for claimable_at */
    int64_t fee_bps;
    int64_t lease_s;
    int64_t attempts_max;     /**< failed attempts before a task fails and is refunded */
    int64_t blob_quota_bytes; /**< per account or attempt */

    /* services */
    struct db_lanes *lanes;
    struct queue_thread *queue;
    struct pool *pool;
    struct blobs *blobs;
    struct loop *loop;
    struct keeper *keeper; /**< the keeper's own; NULL while there is none */

    /** Start the checks of a stored response on this gateway's pool; any thread. The keeper's, set
     * in gateway/main.c. */
    void (*check)(struct app *app, struct uuid response);
};

#endif
