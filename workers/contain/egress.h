/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_CONTAIN_EGRESS_H
#define WORKERS_CONTAIN_EGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/err.h"
#include "workers/contain/life.h"

#define EGRESS_PORT 3128
#define EGRESS_URL  "http://127.0.0.1:3128"
/** What follows the word that makes a supervisor, when its run has a proxy. */
#define EGRESS_WORD "with-egress"

struct egress_book;

/** The supervisor's end of the proxy's process; `sock` -1 when there is none. */
struct egress_side {
    int sock;
    pid_t pid; /**< in the first stage's pid namespace */
    struct egress_book *book;
};

/**
 * Make the process, which waits for egress_open(). It stays outside of the namespaces that the
 * supervisor makes for itself next, for it needs the host's network and its resolver's files.
 *
 * @return false without a process
 */
bool egress_fork(struct egress_side *out);

/**
 * Make the listener inside the container's network namespace and hand it to the process; it has
 * given up its rights when this returns. After life_create(), before life_start(). Nothing to do
 * when the run asks for none.
 *
 * @return E_IO
 */
MUST_CHECK enum err_code egress_open(struct egress_side *e, const struct life *life,
                                     struct err *err);

/** `sock` is readable: whether the cap was passed. A proxy that is gone is let go. */
bool egress_over(struct egress_side *e);

/** Bytes moved so far. */
int64_t egress_moved(const struct egress_side *e);

/** Hang up: the process ends. Safe to repeat. */
void egress_close(struct egress_side *e);

#endif
