/* SPDX-License-Identifier: MIT */
#ifndef SERVER_REAPER_H
#define SERVER_REAPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * G2: absolute deadlines. libmicrohttpd's own timeout counts idle time only, so a client that sends
 * one byte a second lives for ever. Here every connection has one deadline at every moment; what is
 * past it is shut down. All of it happens on the HTTP thread, which is also the only one that hears
 * of a closed connection: a descriptor cannot be reused under the reaper's hand.
 */

struct request;

/** Time limits of connections, microseconds. */
struct reaper_limits {
    int64_t headers_us;  /**< from accept, or from the request line, to the end of the headers */
    int64_t request_us;  /**< from the end of the headers to the end of the reply, waits excluded */
    int64_t idle_us;     /**< from a reply to the end of the next request's first line */
    int64_t age_us;      /**< of a connection; then it ends after the request in progress */
    int64_t bytes_per_s; /**< slower streams than this are cut once request_us is over */
    size_t connections_max;
};

enum conn_phase { CONN_IDLE, CONN_HEADERS, CONN_REQUEST };

/** One connection from accept to close. */
struct conn {
    struct conn *prev;
    struct conn *next;
    int fd;
    enum conn_phase phase;
    bool cut; /**< shut down already */
    int64_t opened_us;
    int64_t begun_us;    /**< of the phase */
    int64_t deadline_us; /**< shut down when this has passed */
    struct request *request;
};

struct reaper {
    struct reaper_limits limits;
    struct conn *first; /**< newest */
    struct conn *spare; /**< kept for reuse */
    size_t connections;
    uint64_t accepted;
    uint64_t cut;
};

/** A new connection. */
struct conn *reaper_open(struct reaper *r, int fd, int64_t now_us);

/** It is closed; its descriptor is not touched again. */
void reaper_close(struct reaper *r, struct conn *c);

/** The request line is in: the headers' deadline runs. */
void reaper_headers(struct reaper *r, struct conn *c, int64_t now_us);

/** The headers are in: the request's deadline runs. */
void reaper_request(struct reaper *r, struct conn *c, int64_t now_us);

/** The operation waits until `deadline_us` by its own wish; the request's time runs after that. */
void reaper_extend(struct reaper *r, struct conn *c, int64_t deadline_us);

/** `bytes` of a stream have passed in all: the deadline moves as long as they flow fast enough. */
void reaper_progress(struct reaper *r, struct conn *c, int64_t bytes);

/** The answer is out and the rest of the request is thrown away: its time is a request's, however
 * fast it flows. */
void reaper_linger(struct reaper *r, struct conn *c, int64_t now_us);

/** The reply is out: the connection may be used again until it is idle too long or too old. */
void reaper_idle(struct reaper *r, struct conn *c, int64_t now_us);

/** Whether the reply now sent should be the last of this connection: old, or too many are open. */
bool reaper_is_last(const struct reaper *r, const struct conn *c, int64_t now_us);

/** Shut down now; both directions. */
void reaper_cut(struct reaper *r, struct conn *c);

/** Shut down all that have no request, not even a coming one: the gateway drains. */
void reaper_cut_idle(struct reaper *r, int64_t now_us);

/** Shut down what is past its deadline. */
void reaper_turn(struct reaper *r, int64_t now_us);

/** Free what is kept for reuse and whatever is still open. */
void reaper_free(struct reaper *r);

#endif
