/* SPDX-License-Identifier: MIT */
#include "db/conn.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "db/decode.h"
#include "db/encode.h"
#include "db/exec.h"
#include "db/link.h"
#include "lib/clock.h"
#include "lib/hash.h"
#include "lib/log.h"

/* A job may wait out a restart of the database; longer is its caller's decision. */
#define DOWN_WAIT_US   15000000LL
#define AGAIN_MAX      5
#define AGAIN_PAUSE_US 4000
#define BACKOFF_MIN_US 20000
#define BACKOFF_MAX_US 1000000
#define LOCKS_MAX      16

struct held_lock {
    int64_t key;
    uint64_t generation; /* of the link when it was taken; 0: free slot */
};

struct db_conn {
    char *url;
    struct db_link link;
    struct encoder encoder;
    struct held_lock locks[LOCKS_MAX];
};

enum err_code db_conn_open(const char *url, struct db_conn **out, struct err *err)
{
    struct db_conn *c = calloc(1, sizeof(*c));
    enum err_code code;

    if (!c || !(c->url = strdup(url))) {
        abort();
    }
    link_init(&c->link, c->url, LINK_ALL, 0);
    code = link_open(&c->link, err);
    if (code) {
        db_conn_close(c);
        return code;
    }
    *out = c;
    return E_OK;
}

void db_conn_close(struct db_conn *c)
{
    if (c) {
        link_close(&c->link);
        encoder_done(&c->encoder);
        free(c->url);
        free(c);
    }
}

static void pause_around(int64_t mean_us)
{
    uint32_t r;
    int64_t us;
    struct timespec t;

    random_bytes(&r, sizeof(r));
    us = mean_us / 2 + (int64_t)(r % (uint64_t)(mean_us + 1));
    t = (struct timespec){.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    (void)nanosleep(&t, NULL);
}

/* Until the link is up again. @return E_DB_DOWN when `give_up_us` has passed, E_CONFIG */
static enum err_code relink(struct db_conn *c, int64_t give_up_us, struct err *err)
{
    int64_t backoff = BACKOFF_MIN_US;

    for (;;) {
        enum err_code code = link_open(&c->link, err);

        if (code != E_DB_DOWN || clock_mono_us() + backoff > give_up_us) {
            return code;
        }
        pause_around(backoff);
        backoff = backoff * 2 > BACKOFF_MAX_US ? BACKOFF_MAX_US : backoff * 2;
    }
}

static enum exec_end run_once(struct db_conn *c, const struct sql_stmt *s, const void *const *in,
                              size_t n, PGresult **res)
{
    if (s->class == SQL_CLASS_READ) {
        struct exec_read r = {.stmt = s, .in = in[0]};
        enum exec_end end = exec_reads(&c->link, &c->encoder, &r, 1);

        *res = r.res;
        return r.end == EXEC_DONE ? EXEC_DONE : end == EXEC_LOST ? end : r.end;
    } else {
        struct exec_batch b = {.stmt = s, .in = in, .n = n};
        enum exec_end end = exec_write(&c->link, &c->encoder, &b);

        if (end == EXEC_LOST && b.commit_sent) {
            log_warn("db_commit_lost", "statement=%s calls=%zu message=%s", s->name, n,
                     c->link.why);
        }
        *res = b.rows;
        return end;
    }
}

static enum err_code raised(struct db_conn *c, const struct sql_stmt *s, struct err *err)
{
    log_error("db_call_raised", "statement=%s sqlstate=%s message=%s", s->name, c->link.sqlstate,
              c->link.why);
    return err_set(err, E_INTERNAL, "%s: %s", s->name, c->link.why);
}

/* Run until the outcome is known. @res set with E_OK only */
static enum err_code run_known(struct db_conn *c, const struct sql_stmt *s, const void *const *in,
                               size_t n, PGresult **res, struct err *err)
{
    int64_t give_up = clock_mono_us() + DOWN_WAIT_US;
    int tries = 0;

    for (;;) {
        enum exec_end end;

        if (!link_up(&c->link)) {
            enum err_code code = relink(c, give_up, err);

            if (code) {
                return code;
            }
        }
        end = run_once(c, s, in, n, res);
        switch (end) {
        case EXEC_DONE:
            return E_OK;
        case EXEC_LOST:
            if (clock_mono_us() > give_up) {
                return err_set(err, E_DB_DOWN, "%s: %s", s->name, c->link.why);
            }
            break;
        case EXEC_AGAIN:
            if (tries == AGAIN_MAX) {
                return err_set(err, E_BUSY, "%s: %s", s->name, c->link.why);
            }
            pause_around(AGAIN_PAUSE_US << tries++);
            break;
        case EXEC_TWIN:
            if (tries++ == 0) {
                break;
            }
            return raised(c, s, err);
        case EXEC_BUSY:
        case EXEC_SKIPPED:
            return err_set(err, E_BUSY, "%s: %s", s->name, c->link.why);
        case EXEC_RAISED:
            return raised(c, s, err);
        }
    }
}

/* The calls as pointers; refuses what no transaction could accept. */
static enum err_code check_calls(const struct sql_stmt *s, const void *in, size_t n_in,
                                 const void **each, struct err *err)
{
    if (n_in > 1 && (s->class == SQL_CLASS_READ || s->n_params == 0)) {
        return err_set(err, E_INTERNAL, "%s takes exactly one call", s->name);
    }
    for (size_t i = 0; i < n_in; i++) {
        const char *missing;

        each[i] = (const char *)in + i * s->in_size;
        missing = encode_missing(s, each[i]);
        if (missing) {
            log_error("db_call_raised", "statement=%s sqlstate=22004 message=%s", s->name, missing);
            return err_set(err, E_INTERNAL, "%s: %s has no value", s->name, missing);
        }
    }
    return E_OK;
}

/* One call says it all; a struct would only move the eight names. */
// NOLINTNEXTLINE(readability-function-size)
enum err_code db_run(struct db_conn *c, enum sql_id stmt, const void *in, size_t n_in,
                     struct arena *arena, const void **rows, size_t *n_rows, struct err *err)
{
    const struct sql_stmt *s = &sql_stmts[stmt];
    const void **each = arena_alloc(arena, (n_in + 1) * sizeof(*each));
    PGresult *res = NULL;
    enum err_code code = check_calls(s, in, n_in, each, err);

    if (code) {
        return code;
    }
    if (n_in == 0) {
        *rows = NULL;
        *n_rows = 0;
        return E_OK;
    }
    code = run_known(c, s, each, n_in, &res, err);
    if (!code) {
        code = decode_rows(s, res, arena, rows, n_rows, err);
    }
    PQclear(res);
    return code;
}

static struct held_lock *lock_slot(struct db_conn *c, int64_t key)
{
    struct held_lock *open = NULL;

    for (size_t i = 0; i < LOCKS_MAX; i++) {
        if (c->locks[i].generation && c->locks[i].key == key) {
            return &c->locks[i];
        }
        if (c->locks[i].generation != c->link.generation) {
            open = &c->locks[i];
        }
    }
    return open;
}

/* One round trip of pg_try_advisory_lock. */
static bool ask_lock(struct db_conn *c, int64_t key)
{
    uint8_t be[8];
    const char *value = (const char *)be;
    const int length = sizeof(be);
    const int binary = 1;
    const struct link_params p = {1, &value, &length, &binary};
    int64_t deadline = clock_mono_us() + c->link.answer_us;
    PGresult *res;
    bool got;

    for (int i = 0; i < 8; i++) {
        be[i] = (uint8_t)((uint64_t)key >> (56 - 8 * i));
    }
    if (!link_send(&c->link, LINK_TRY_LOCK, &p) || !link_sync(&c->link)) {
        return false;
    }
    res = link_result(&c->link, deadline);
    got = res && PQresultStatus(res) == PGRES_TUPLES_OK && PQgetvalue(res, 0, 0)[0] != 0;
    PQclear(res);
    return link_synced(&c->link) && got;
}

bool db_try_lock(struct db_conn *c, int64_t key)
{
    struct held_lock *slot;

    if (!link_up(&c->link) && link_open(&c->link, NULL)) {
        return false;
    }
    slot = lock_slot(c, key);
    if (slot && slot->key == key && slot->generation == c->link.generation) {
        /* Session locks count: asking twice would need two unlocks. */
        return link_ping(&c->link);
    }
    if (!slot || !ask_lock(c, key)) {
        return false;
    }
    *slot = (struct held_lock){key, c->link.generation};
    return true;
}

bool db_lock_held(struct db_conn *c, int64_t key)
{
    const struct held_lock *slot = lock_slot(c, key);

    return link_up(&c->link) && slot && slot->key == key &&
           slot->generation == c->link.generation && link_ping(&c->link);
}
