/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_AGENT_OFFER_H
#define WORKERS_AGENT_OFFER_H

#include "workers/device/device.h"
#include "workers/device/edits.h"
#include "workers/options.h"

/* What this machine can promise to run: asked before a worker registers, and by those commands that
 * tell a person what a worker would do. */

/** Where the options say that drivers and specifications lie; borrows their texts. */
struct edits_config offer_edits(const struct options *o);

/**
 * Whether containers of this kind get cards at all. Without root there is no device cgroup to hold
 * a container to its card, and gVisor carries none.
 *
 * @rootless  whether the worker is not root outside
 */
bool offer_cards(const struct options *o, bool rootless);

/**
 * What containers can be given here: the CPU, and each kind of card of which there is one with
 * nodes, libraries and a place for its lock.
 *
 * @rootless  as above
 * @list      a look at the machine
 * @tell      log each card that cannot be used, with the reason
 * @return    mask of ENV_*
 */
unsigned offer_environments(const struct options *o, bool rootless, const struct device_list *list,
                            bool tell);

#endif
