/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_CONTAIN_SESSION_H
#define WORKERS_CONTAIN_SESSION_H

#include "workers/contain/box.h"
#include "workers/contain/egress.h"
#include "workers/contain/life.h"

/** A task's input, mapped: it is a sealed memory file. */
struct session_input {
    int fd;
    const void *p;
    size_t n;
};

/** One container and the tasks that it is given, one after the other; in the supervisor. */
struct session {
    struct box_spec spec; /**< of the task in hand */
    struct life life;
    int control; /**< readable or closed: stop */
    int note;    /**< the guard's: hears how to thaw before anything is frozen */
    struct egress_side egress;
    bool begun;              /**< the container exists */
    bool warned;             /**< the guard knows */
    struct box_usage before; /**< the counters when the task in hand began */
};

/** Make the container and run the first task. Every failure is an end of the run, in `r`. */
void session_first(struct session *s, const struct session_input *in, struct box_result *r);

/** Thaw the container and run a further task in it. */
void session_next(struct session *s, const struct box_task *task, const struct session_input *in,
                  struct box_result *r);

/** Kill and delete the container, if it still is. */
void session_end(struct session *s);

/** Map an input. @return E_IO. */
MUST_CHECK enum err_code session_map(int fd, struct session_input *in, struct err *err);

/** Unmap it and close its file. */
void session_unmap(struct session_input *in);

#endif
