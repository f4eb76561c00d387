/* SPDX-License-Identifier: MIT */
#ifndef QUEUE_LISTEN_H
#define QUEUE_LISTEN_H

#include "queue/link.h"
#include "queue/thread.h"

/** The thread that hears the bells of other gateways, on a connection of its own. */
struct listener;

/**
 * @at      where Redis is; copied
 * @self    our number: our own bells are not heard
 * @config  whose `ring` is called
 * @return  E_IO
 */
MUST_CHECK enum err_code listener_start(const struct link_address *at, uint64_t self,
                                        const struct queue_config *config, struct listener **out,
                                        struct err *err);

/** End the thread and free; within a second. */
void listener_stop(struct listener *l);

#endif
