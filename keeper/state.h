/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_STATE_H
#define KEEPER_STATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "db/conn.h"
#include "keeper/keeper.h"
#include "lib/arena.h"

/* Inside the keeper: what its jobs share. */

#define KEEPER_JOBS 12

struct keeper {
    struct app *app;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake; /* the thread's: stop, or a queue page is done */
    bool stop;           /* under the lock */
    bool page_done;      /* under the lock */
    bool page_failed;    /* under the lock */

    /* The thread's own. */
    struct db_conn *conn;
    struct arena *arena; /* reset after each job */
    int64_t due_us[KEEPER_JOBS];
    int64_t logged_us;
    uint64_t losses;        /* of the book, as of the last resync */
    int64_t resync_took_us; /* how long the last one took */
    int64_t resync_not_before_us;
    bool leader;

    atomic_bool stopping;
    atomic_bool proving; /* a proof is on the pool: no other is taken */
    atomic_uint_fast64_t expired;
    atomic_uint_fast64_t exited;
    atomic_uint_fast64_t lapsed;
    atomic_uint_fast64_t adopted;
    atomic_uint_fast64_t passed;
    atomic_uint_fast64_t rejected;
    atomic_uint_fast64_t resyncs;
    atomic_uint_fast64_t failures;
    atomic_uint_fast64_t checking;
};

/** Open tasks past their expiry are refunded. */
enum err_code job_expiries(struct keeper *k, struct err *err);
/** Tasks that a forced exit finds open are refunded. */
enum err_code job_exits(struct keeper *k, struct err *err);
/** Attempts whose lease ran out end; their slots open again. */
enum err_code job_leases(struct keeper *k, struct err *err);
/** Checks whose gateway is gone are run here. */
enum err_code job_checks(struct keeper *k, struct err *err);
/** The book of open slots is filled from the rows. */
enum err_code job_resync(struct keeper *k, struct err *err);
/** Masters whose 24 hours are over take over. */
enum err_code job_masters(struct keeper *k, struct err *err);
/** Idempotency keys older than their promise go. */
enum err_code job_prune(struct keeper *k, struct err *err);
/** Proofs of devices whose answer did not come have failed; one that came is checked. */
enum err_code job_proofs(struct keeper *k, struct err *err);
/** Blobs that nobody refers to go, rows first. */
enum err_code job_garbage(struct keeper *k, struct err *err);

/**
 * Take one lapsed attempt of each task: a batch must not hold two.
 *
 * @left   up to 200 rows; those not taken move to the front, `*n_left` says how many
 * @calls  room for `*n_left` calls
 * @return calls written
 */
size_t lapse_batch(const struct app *app, struct sql_due_leases_row *left, size_t *n_left,
                   struct sql_attempt_end *calls);

/** Start the checks of a response; any thread. */
void check_start(struct app *app, struct uuid response);

/** Lane routing and conflict key of an id; the same as the handlers use. */
uint64_t keeper_key(struct uuid id);

#endif
