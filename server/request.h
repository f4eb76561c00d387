/* SPDX-License-Identifier: MIT */
#ifndef SERVER_REQUEST_H
#define SERVER_REQUEST_H

#include <microhttpd.h>

#include "db/lane.h"
#include "server/auth.h"
#include "server/guard.h"
#include "server/loop.h"
#include "server/op.h"
#include "server/pool.h"
#include "server/reaper.h"
#include "server/router.h"
#include "server/wait.h"

/* The server's own view of one request; operations see its first member only. HTTP thread only. */

struct server;
struct stream;

/** How far a request has come. */
enum stage {
    STAGE_HEAD, /**< the request line is in, headers are coming */
    STAGE_BODY, /**< headers were accepted; the body is read, or thrown away when a reply is set */
    STAGE_RUNNING, /**< steps run; suspended between them */
    STAGE_READY,   /**< the reply is set and may be queued */
    STAGE_SENT,    /**< libmicrohttpd has the reply */
    STAGE_GONE     /**< the client went away while we waited: close, answer nothing */
};

/** One header of a reply. */
struct reply_header {
    const char *name;
    const char *value;
    struct reply_header *next;
};

/** What will be answered. */
struct reply {
    int status; /**< 0: not set */
    const void *body;
    size_t n;
    int fd; /**< -1: the body is in memory */
    int64_t offset;
    int64_t len;
    const char *media_type;
    struct reply_header *headers;
    bool close; /**< no further request on this connection */
};

/** Something to undo when the request is over, whatever its end. */
struct cleanup {
    void (*run)(void *arg);
    void *arg;
    struct cleanup *next;
};

struct request {
    struct op op; /**< first: the two share their address */
    struct server *server;
    struct conn *conn;
    struct MHD_Connection *mhd;
    enum stage stage;
    bool suspended;  /**< libmicrohttpd does not look at the connection */
    bool finished;   /**< the reply went out whole */
    bool head_done;  /**< the body may come */
    bool body_ended; /**< of a stream: its operation was told */
    bool parsed;     /**< the operation's first step ran */
    bool lingers; /**< the answer is out, the rest of the body is thrown away (server/linger.h) */
    char method[16];
    struct text query; /**< raw */
    const char *fault; /**< of the target, before anything decoded it */
    struct guard guard;
    struct route_match match;
    struct credential credential;
    struct reply reply;
    struct cleanup *cleanups;

    char *body; /**< kept between requests */
    size_t body_n;
    size_t body_room;
    uint64_t body_seen; /**< all body bytes, thrown away or not */
    uint64_t dropped;   /**< body bytes that came after a refusal */
    struct stream *stream;

    /* The step that comes next and what it waits for. */
    op_step then;
    void (*work)(struct op *op);
    void (*queue_work)(struct op *op, struct queue *queue);
    struct completion completion;
    int64_t looked_us; /**< when the running look for something to wait for began */
    struct db_call call;
    struct pool_job job;
    struct wait wait;
    uint64_t *topics;
    size_t n_topics;
    size_t topics_room;

    struct request *next_free;
};

static inline struct request *request_of(struct op *op)
{
    return op->request;
}

/**
 * Run a step and whatever it leads to until the request waits, wants more body, or has its reply.
 * Suspends and resumes the connection as needed.
 */
void request_step(struct request *req, op_step step);

/** Run `run(arg)` when the request is over, last registered first; HTTP thread. */
void request_defer(struct request *req, void (*run)(void *arg), void *arg);

/**
 * Whether the client's side is still open. A client that only closed its sending side counts as
 * gone: the two look alike until something is lost.
 */
bool request_client_is_there(const struct request *req);

/* libmicrohttpd's callbacks; `cls` is the server. */
void *request_on_target(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result request_on_access(void *cls, struct MHD_Connection *mhd, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *size, void **ctx);
void request_on_completed(void *cls, struct MHD_Connection *mhd, void **ctx,
                          enum MHD_RequestTerminationCode code);

/** Free the requests kept for reuse. */
void request_free_all(struct server *server);

#endif
