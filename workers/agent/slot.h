/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_AGENT_SLOT_H
#define WORKERS_AGENT_SLOT_H

#include <pthread.h>
#include <stdatomic.h>

#include "lib/metrics_http.h"
#include "workers/agent/api.h"
#include "workers/agent/cards.h"
#include "workers/agent/prove.h"
#include "workers/agent/sources.h"
#include "workers/agent/warm.h"
#include "workers/workshop.h"

#define SLOTS_MAX 64

/** Why a slot's container has to end. */
enum stop_cause {
    STOP_NO,
    STOP_TOLD,  /**< the gateway said so in a heartbeat: the attempt is over */
    STOP_LEASE, /**< no heartbeat got through before the lease ended */
    STOP_DRAIN, /**< this worker ends */
    STOP_CARD,  /**< its card failed, or it used more of it than it may */
};

/** What the attempt in hand is at, as its heartbeats say. */
struct slot_progress {
    const char *phase; /**< "pulling", "running", or NULL: nothing to say yet */
    int64_t pulled;    /**< bytes of the image */
    int64_t of;        /**< of so many; 0: not known */
};

struct agent;

/** One attempt at a time, in a thread of its own; the pulse thread keeps its lease. */
struct slot {
    struct agent *agent;
    unsigned index;
    pthread_t thread;
    struct api api;
    int stop_fd; /**< eventfd: readable when `cause` is set */
    _Atomic enum stop_cause cause;
    struct warm_seat seat; /**< of the attempt in hand; the slot's thread alone */
    json_t *egress;        /**< its network, or NULL; the slot's thread alone */
    bool top_next;         /**< the next claim asks for what earns most; the slot's thread alone */
    pthread_mutex_t mutex; /**< guards what follows */
    bool live;             /**< an attempt runs; its lease is kept */
    char attempt[ID_TEXT_MAX];
    int64_t lease_s;
    int64_t lease_end_us; /**< monotonic */
    int64_t next_beat_us;
    struct slot_progress progress;
    struct card_hold card; /**< its lease is the slot thread's own; code and text are guarded */
};

/** The whole worker. */
struct agent {
    const struct options *options;
    struct identity me;
    struct workshop shop;
    struct warm warm;
    struct gateways gateways;
    struct stats stats;
    struct metrics_http metrics;
    struct earnings earnings;
    struct sources sources;
    struct cards cards;
    struct prover prover;
    atomic_bool draining; /**< no new work */
    struct slot slots[SLOTS_MAX];
    unsigned slot_count;
    pthread_t pulse;
    struct api pulse_api;
    pthread_t errands;
    struct api errand_api;
    atomic_bool over; /**< slots have ended: the other threads may */
};

/** Prepare a slot (not its thread). @return E_IO. */
MUST_CHECK enum err_code slot_open(struct slot *s, struct agent *agent, unsigned index,
                                   struct err *err);
void slot_close(struct slot *s);

/** The slot's thread: claim, run, respond, until the agent drains. @arg struct slot * */
void *slot_main(void *arg);

/** End the slot's container, for the first cause given. Any thread. */
void slot_stop(struct slot *s, enum stop_cause cause);

/** The cards' alarm: the slot's attempt fails with this. Any thread. @ctx struct agent * */
void slot_card_failed(void *ctx, unsigned slot, const char *code, const char *text);

/** Whether a cause was given; as http_call.stop. @ctx struct slot * */
bool slot_stopped(void *ctx);

/** Begin and end an attempt as far as its lease goes. */
void slot_begin(struct slot *s, const char *attempt, int64_t lease_s);
void slot_end(struct slot *s);

/** The image is not here yet: tell the gateway how far it is. As image_want.progress. @ctx struct
 * slot * */
void slot_pulling(void *ctx, int64_t fetched, int64_t of);

/** The source is about to run. */
void slot_running(struct slot *s);

/** Monotonic time at which the lease ends. */
int64_t slot_lease_end(struct slot *s);

/** The pulse thread: attempt heartbeats for all slots. @arg struct agent * */
void *pulse_main(void *arg);

/** The errands thread: the provider's own heartbeat, new sources. @arg struct agent * */
void *errands_main(void *arg);

/**
 * Do what a claim asks for, to its end: run, upload, sign, respond; or fail with the cause.
 *
 * @answer  the gateway's to the claim
 * @return  whether the source was run; false: something is wrong here, do not hurry to the next
 */
bool attempt_serve(struct slot *s, const json_t *answer);

/** Hand back a claim that is not begun: no penalty. */
void attempt_hand_back(struct slot *s, const json_t *answer);

#endif
