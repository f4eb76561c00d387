/* SPDX-License-Identifier: MIT */
#ifndef SERVER_OP_H
#define SERVER_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/id.h"
#include "lib/arena.h"
#include "lib/bytes.h"
#include "lib/err.h"
#include "lib/json.h"
#include "sql.h"

struct request; /* server/request.h, the server's own */
struct app;     /* server/app.h: configuration and services of this gateway */
struct op;
struct route; /* generated: server/route.h */

/** What an operation's step wants next. Steps never block. */
enum op_next {
    OP_REPLY, /**< the reply is set */
    OP_CALL,  /**< a database call was named with op_call() */
    OP_QUEUE, /**< a queue call was named with op_queue() */
    OP_POOL,  /**< work for the bounded pool was named with op_pool() */
    OP_WAIT,  /**< wait for a bell, a tick or the deadline, named with op_wait() */
    OP_MORE   /**< stream bodies: go on reading the body (server/stream.h) */
};

/** A step: reads what the last one brought, sets the reply or names the next call. Runs on the HTTP
 * thread. */
typedef enum op_next (*op_step)(struct op *op);

/** One operation of the API; the generated route table names it `op_<operation_id>`. */
struct op_def {
    op_step parse; /**< first step: the request is checked, `op->in` is filled */
    void (*undelivered)(
        struct op *op); /**< optional: the reply could not be sent; may op_fire() calls */
    enum op_next (*body)(struct op *op, const void *chunk,
                         size_t n); /**< stream bodies only, see server/stream.h */
};

enum who_kind { WHO_NOBODY, WHO_KEY, WHO_PROVIDER };

/** Who asks. */
struct who {
    enum who_kind kind;
    int64_t account; /**< key: the account; provider: its master's account */
    struct uuid key; /**< key id; rechecked inside write statements */
    uint32_t scopes; /**< SCOPE_… bits, generated from openapi/ */
    struct uuid provider;
    struct address address; /**< of the account, or of the provider */
};

/** One request in flight. Memory lives in `arena` until the reply is out. */
struct op {
    struct app *app;
    const struct route *route;
    struct arena *arena;
    char request_id[72]; /**< taken over from X-Request-Id (8 to 64 characters) or made */
    int64_t started_us;  /**< monotonic */
    struct who who;
    const void *in;              /**< struct in_<operation>, checked */
    json_t *body;                /**< parsed JSON body, or NULL; owned by the request */
    struct text path;            /**< as asked, without query */
    struct text idempotency_key; /**< bare; no value when absent */
    struct digest fingerprint;   /**< SHA-256 over method, path, query and body bytes */
    struct text if_none_match;
    struct text range;
    void *state; /**< the operation's own, in the arena */

    /* What the last step brought. */
    struct err err; /**< of the call, the queue or the pool work; E_OK otherwise */
    const void *rows;
    size_t n_rows;
    bool woken_by_deadline; /**< after op_wait() */

    struct request *request; /**< the server's */
};

/** Answer with a problem; `fmt` is the detail sentence (no secrets). Returns OP_REPLY. */
enum op_next op_fail(struct op *op, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

struct violations;

/** Answer with a problem and what is wrong in the request, one by one; the first is the detail. */
enum op_next op_fail_list(struct op *op, enum err_code code, const struct violations *bad);

/** Answer with the problem in op->err (a failed call). */
enum op_next op_fail_err(struct op *op);

/** Answer with the problem an SQL outcome word names. */
enum op_next op_fail_word(struct op *op, struct text word);

/** Answer with JSON; takes `body_stolen`. */
enum op_next op_json(struct op *op, int status, json_t *body_stolen);

/** Answer without a body (204). */
enum op_next op_empty(struct op *op, int status);

/** Answer with `len` bytes of an open file from `offset`; takes the descriptor. Status 200 or 206.
 */
enum op_next op_file(struct op *op, int status, int fd_stolen, int64_t offset, int64_t len,
                     const char *media_type);

/** Answer with bytes that live in the arena or for ever. */
enum op_next op_bytes(struct op *op, int status, const void *p, size_t n, const char *media_type);

/**
 * Answer with bytes that live in the arena or for ever, and a strong ETag; 304 when If-None-Match
 * names it. Cache-Control is `private, no-cache` unless op_header() set another before.
 */
enum op_next op_tagged(struct op *op, int status, const void *p, size_t n, const char *media_type,
                       const char *tag);

/** Set a reply header, in place of one of this name; copied. A later op_fail() forgets headers set
 * before it. */
void op_header(struct op *op, const char *name, const char *value);

/**
 * Name the next database call.
 *
 * @in        struct sql_<name>, in the arena
 * @route     lane routing key: the account id or hash64 of the task id
 * @conflict  0, or the key of which one batch holds at most one
 * @then      step that reads op->err, op->rows, op->n_rows
 */
enum op_next op_call(struct op *op, enum sql_id stmt, const void *in, uint64_t route,
                     uint64_t conflict, op_step then);

/** Send a write call nobody waits for (its own copy of `in`, `in_size` bytes); failures are logged.
 * Any thread. */
void op_fire(struct app *app, enum sql_id stmt, const void *in, size_t in_size, uint64_t route,
             uint64_t conflict);

/** Run `work` on the bounded pool (it may block; it may use only the op's arena, in and state, and
 * sets op->err), then `then` here. */
enum op_next op_pool(struct op *op, void (*work)(struct op *op), op_step then);

/**
 * Run `work` on the queue's thread with its Redis link, then `then` here. op->err is E_PEER when
 * Redis is away.
 */
struct queue;
enum op_next op_queue(struct op *op, void (*work)(struct op *op, struct queue *queue),
                      op_step then);

/**
 * Wait until one of the topics rings, a second has passed, or the deadline.
 *
 * @topics       `n` topic hashes (queue/bell.h), copied
 * @deadline_us  monotonic
 * @then         step; op->woken_by_deadline tells why. The wait also ends when the client is gone:
 * then no step runs.
 */
enum op_next op_wait(struct op *op, const uint64_t *topics, size_t n, int64_t deadline_us,
                     op_step then);

/** A fresh id (UUIDv7). */
struct uuid app_new_id(struct app *app);

#endif
