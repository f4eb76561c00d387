/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_CONTAIN_WATCH_H
#define WORKERS_CONTAIN_WATCH_H

#include "lib/err.h"
#include "workers/contain/box.h"
#include "workers/contain/courier.h"
#include "workers/contain/egress.h"
#include "workers/contain/life.h"

#define WATCH_LOG_KEPT 2048

/** One run being watched: its end, its output, its clock, and the worker's word to stop. */
struct watch {
    struct life *life;
    int control; /**< readable or closed: stop */
    struct box_result *result;
    struct egress_side *egress; /**< NULL or without a socket: the run has no proxy */
    int64_t deadline_us;
    int64_t accept_by_us; /**< http: the task must be taken by then; 0: no such time */
    int json_fd;          /**< memory file of stdout (exec) or of the callback's body (http); -1 */
    int64_t json_size;
    char log[WATCH_LOG_KEPT]; /**< the last of stderr */
    size_t logged;
    bool serving; /**< http contract */
    bool over;
    struct courier courier;
};

/** Begin; after life_create(). The clock starts in watch_until_end(). */
void watch_begin(struct watch *w, struct life *life, int control, struct box_result *result);

/** The http contract: listener and request, before the source starts. @return E_IO. */
MUST_CHECK enum err_code watch_serve(struct watch *w, const void *input, size_t n, struct err *err);

/** Watch until the run is over. The result has end, status and reason. */
void watch_until_end(struct watch *w);

/** The container is to be kept (`result->kept`) or is killed now; the result gets output.json. */
void watch_finish(struct watch *w);

/** Close and free what the result did not take. */
void watch_done(struct watch *w);

#endif
