/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_AGENT_STATS_H
#define WORKERS_AGENT_STATS_H

#include <stdatomic.h>

#include "workers/contain/box.h"

/** What a worker counts since it began; written by any thread, read for metrics. */
struct stats {
    atomic_ullong claimed;             /**< claims that brought a task */
    atomic_ullong claims_empty;        /**< claims that brought none */
    atomic_ullong claims_failed;       /**< no answer, or one that is none */
    atomic_ullong ends[BOX_END_COUNT]; /**< runs by how they ended */
    atomic_ullong responded;           /**< responses that the gateway took */
    atomic_ullong beaten;              /**< another was first, or the task was over */
    atomic_ullong failed;              /**< attempts told as failed */
    atomic_ullong released;            /**< attempts handed back */
    atomic_ullong leases_lost;
    atomic_ullong run_ms;           /**< wall time of all runs */
    atomic_ullong egress_bytes;     /**< that proxies read, from sources and from hosts */
    atomic_ullong proofs_passed;    /**< challenges, by their verdict */
    atomic_ullong proofs_failed;    /**< likewise, and those lost on the way */
    atomic_ullong proofs_declined;  /**< asked for, and not begun */
    atomic_ullong gateway_switches; /**< a gateway was away, another was asked */
};

#endif
