/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_AGENT_PROVE_H
#define WORKERS_AGENT_PROVE_H

#include <jansson.h>
#include <pthread.h>

#include "workers/agent/api.h"
#include "workers/device/book.h"
#include "workers/kernels/helper.h"

/*
 * What a card has to show for itself: the gateway's challenges (docs/gpu-proof.md) and rates. A
 * thread apart, which does one thing on one idle card at a time: it calls the card, leases it when
 * its slot lets go, computes in a process of its own, and gives it back. A task never waits for
 * more than that, and none is ended for it.
 */

struct agent;

/** One device. */
struct prover_row {
    char uuid[DEVICE_UUID_MAX];
    bool due;              /**< the gateway wants its proof */
    int64_t prove_at_us;   /**< not before; monotonic */
    int64_t measure_at_us; /**< likewise */
    json_t *rates;         /**< signed, as the heartbeat carries them; NULL without */
    char why_not[160];     /**< why the proof was declined last: said once */
};

struct prover {
    pthread_t thread;
    struct api api;           /**< the thread's */
    bool library;             /**< CUDA kernels can be loaded */
    char why_no_library[200]; /**< otherwise */
    bool simulated_too;       /**< the library was named: it computes for simulated cards too */
    pthread_mutex_t mutex;    /**< guards what follows */
    struct prover_row row[DEVICES_MAX];
    size_t n;
};

/** Prepare (not the thread): look whether there are CUDA kernels. */
void prover_open(struct agent *a);
void prover_close(struct agent *a);

/** The thread: until the agent drains. @arg struct agent * */
void *prover_main(void *arg);

/** The heartbeat's answer came. @list its `prove`; what is not in it is not due any more */
void prover_told(struct agent *a, const json_t *list);

/** Put their rates into the heartbeat's devices. */
void prover_dress(struct agent *a, json_t *devices);

/** The gateway refused the rates (a signer that was away, a clock that is ahead, another contract):
 * without them the heartbeat counts. They are measured again in an hour. */
void prover_forget(struct agent *a);

/* ---- shared by the files of the prover ---- */

/** A leased device and the process that computes on it. */
struct prove_job {
    struct agent *agent;
    struct device_lease lease;
    struct helper helper;
    double ops_per_s; /**< of the twin */
    bool twin;        /**< the plain C twin computes */
    struct api *api;
    bool asked;         /**< a challenge is in hand */
    int64_t again_us;   /**< monotonic: try no sooner */
    char challenge[64]; /**< whose verdict is to be waited for; "" when there is none */
};

/**
 * Answer a challenge, to the opening of its rows.
 *
 * @j       `helper` is ready; `again_us` and `challenge` are set
 * @return  E_OK: opened. E_NO_SLOT: declined, nothing was claimed. E_QUOTA: not yet. E_DRAINING:
 * told to end, or the card failed. Otherwise a challenge is lost
 */
MUST_CHECK enum err_code prove_answer(struct prove_job *j, struct err *err);

/** Wait for the verdict, some minutes at most, log and count it. The card is not needed any more.
 */
void prove_verdict(struct prove_job *j);

/** Whether the twin can do a device's proof within its window; E_NO_SLOT with the reason. */
MUST_CHECK enum err_code prove_fits_twin(int64_t memory_mb, struct err *err);

#endif
