/* SPDX-License-Identifier: MIT */
#ifndef QUEUE_LINK_H
#define QUEUE_LINK_H

#include <hiredis/hiredis.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/bytes.h"
#include "lib/err.h"
#include "queue/bell.h"

/* Inside the queue floor: the connection, its scripts, and commands sent in one go. */

/** Where Redis is. */
struct link_address {
    char host[256]; /**< a path when `port` is 0 */
    int port;
    char password[256];
    int db;
};

/** @return E_CONFIG, naming no password */
MUST_CHECK enum err_code link_parse(const char *url, struct link_address *out, struct err *err);

/** A connection that is logged in and on its database. @return E_PEER */
MUST_CHECK enum err_code link_connect(const struct link_address *at, redisContext **out,
                                      struct err *err);

/** The Lua scripts, loaded at connect. */
enum script {
    SCRIPT_OPEN,
    SCRIPT_POP,
    SCRIPT_RETURN,
    SCRIPT_DROP,
    SCRIPT_TRIED,
    SCRIPT_MARK,
    SCRIPT_COUNT
};

/** Source text of a script; queue/scripts.c. */
extern const char *const script_text[SCRIPT_COUNT];

#define SHA1_TEXT_MAX 41

struct queue {
    struct link_address at;
    redisContext *link; /**< NULL while away */
    char sha[SCRIPT_COUNT][SHA1_TEXT_MAX];
    size_t unread; /**< replies to commands sent without waiting */
    int64_t retry_us;
    int64_t backoff_us;
    int64_t lost_us; /**< when losses grew last, so that a storm of errors counts once */
    uint64_t self;   /**< our number in bells */
    uint64_t topics[BELL_TOPICS_MAX];
    size_t n_topics;
    void (*ring)(void *ctx, uint64_t topic);
    void *ctx;
    atomic_bool up;
    atomic_uint_fast64_t losses;
};

/** Connect when away and the time has come. */
void link_try(struct queue *q);

/** Give the connection up; the next link_try() makes another. */
void link_drop(struct queue *q);

/** The key that is there while the book is whole: queue/slots.h. */
#define BOOK_MARK "ogpu:book"

/** The book may have lost slots. @return whether it was counted: at most twice a second */
bool link_lost(struct queue *q);

/** Arguments of one command. */
struct link_args {
    const char *arg[24];
    size_t len[24];
    int n;
};

void link_arg(struct link_args *a, const char *s, size_t n);
/** Begin an EVALSHA with `keys` keys to follow. */
void link_eval(const struct queue *q, struct link_args *a, enum script script, const char *n_keys);

/** Send without waiting. @return E_PEER */
enum err_code link_append(struct queue *q, const struct link_args *a, struct err *err);

/** Wait for the reply to the oldest unread command. After link_drain() that is the first one sent
 * since; a caller reads as many as it sent. @return E_PEER, also for an error reply */
MUST_CHECK enum err_code link_next(struct queue *q, redisReply **out, struct err *err);

/** Read all replies that nobody has waited for. */
void link_drain(struct queue *q);

/** Send the bells of this round and ring here. */
void link_ring_out(struct queue *q);

#endif
