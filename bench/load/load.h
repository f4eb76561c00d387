/* SPDX-License-Identifier: MIT */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/load/stats.h"
#include "bench/load/world.h"
#include "lib/bytes.h"

/*
 * A closed-loop HTTP/1.1 client: each connection sends its next request when the answer to the last
 * one is complete. One thread, so that the server keeps the rest of the machine.
 */

/** What one connection is in the middle of. */
enum phase { PHASE_IDLE, PHASE_SUBMIT, PHASE_READ, PHASE_CLAIM, PHASE_UPLOAD, PHASE_RESPOND };

/** An attempt between claim and respond. */
struct round {
    int64_t began_us; /**< when the claim that brought it was sent */
    struct uuid task;
    struct uuid attempt;
    char attempt_text[32];
    int64_t epoch;
    struct digest manifest;
    struct digest input;
    struct digest blob;
    char content[64];
    size_t content_n;
};

struct conn {
    int fd;
    uint32_t number;
    enum phase phase;
    bool answered_any; /**< on this socket; a server may close an idle one */
    bool retried;
    int64_t sent_us; /**< 0: nothing in flight */
    char *out;
    size_t out_n;
    size_t out_at;
    char *in;
    size_t in_n;
    size_t in_cap;
    uint32_t key; /**< of the request in flight */
    uint32_t turn;
    struct round round;
};

struct load;

/** A kind of traffic. */
struct traffic {
    const char *name;
    /** Build the next request into `c->out` with request_begin() and request_end(); false: nothing
     * left. */
    bool (*next)(struct load *l, struct conn *c);
    /** Judge an answer, count it. A unit that goes on leaves `c->phase` other than PHASE_IDLE and a
     * new request in `c->out`. */
    void (*answer)(struct load *l, struct conn *c, int status, const char *body, size_t n);
};

struct options {
    const char *host; /**< numeric address */
    uint16_t port;
    const struct traffic *traffic;
    uint32_t connections;
    uint64_t requests; /**< units to do; 0: until the time is over */
    double seconds;    /**< 0: until the requests are done */
    double warmup_s;   /**< units begun before are not counted */
    double hang_s;     /**< silence after which a request counts as hung */
    uint32_t idempotent_pct;
    const char *path; /**< of the traffic `get` */
    const char *ids_in;
    const char *ids_out;
};

struct load {
    struct options opt;
    struct world world;
    struct stats stats;
    struct conn *conns;
    struct sockaddr_in to;
    int epoll;
    uint64_t begun;     /**< units sent */
    uint64_t ended;     /**< units answered, lost or hung */
    int64_t start_us;   /**< first request */
    int64_t counted_us; /**< end of the warm-up */
    int64_t stop_us;    /**< no unit begins after; 0: no limit */
    int64_t end_us;     /**< last answer */
    uint64_t seed;
};

/** Whether a unit begun now belongs to the figures, and whether another may begin. */
bool load_counts(const struct load *l, int64_t began_us);
bool load_may_begin(const struct load *l);

/** A number that differs each time; not secret. */
uint64_t load_random(struct load *l);

/** Start a request in `c->out`; `auth` is a bearer token or NULL, `extra` whole header lines or "".
 */
void request_begin(struct conn *c, const char *method, const char *path, const char *auth,
                   const char *extra);
/** End its head and give it a body of `n` bytes; `media_type` NULL: none. */
void request_end(struct conn *c, const char *media_type, const void *p, size_t n);

/** The kinds. */
extern const struct traffic traffic_submit;
extern const struct traffic traffic_read;
extern const struct traffic traffic_mixed;
extern const struct traffic traffic_get;
extern const struct traffic traffic_round;

/** Connect, run to the end, disconnect. @return false when the server cannot be reached */
bool load_run(struct load *l);

#endif
