/* SPDX-License-Identifier: MIT */
#ifndef INDEXER_RUN_H
#define INDEXER_RUN_H

#include <stdint.h>

#include "eth/rpc.h"
#include "indexer/figures.h"
#include "lib/err.h"

/** What is done step by step until a signal. */
struct run {
    struct rpc *rpc;
    int64_t chain_id; /**< the one the node must have: a stranger's facts are not ours */
    int64_t poll_ms;  /**< pause after a step that found nothing new, or failed */
    enum err_code (*step)(void *who, uint64_t *booked, struct err *err);
    void *who;
    struct figures *figures; /**< of the steps; what run_steps() sees itself is added */
    const char *metrics;     /**< host:port to serve them at; "" for nowhere */
};

/** Let SIGTERM and SIGINT end run_steps(); before anything is opened. */
void run_catch_signals(void);

/**
 * Check the chain once it answers, then step by step; what cannot be stepped over is said again and
 * again.
 *
 * @return  E_OK after a signal; E_CONFIG for a node of another chain, or no place for the metrics
 */
MUST_CHECK enum err_code run_steps(const struct run *r, struct err *err);

#endif
