/* SPDX-License-Identifier: MIT */
#include "queue/slots.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "core/id.h"
#include "lib/hex.h"
#include "queue/link.h"

#define KEY_MAX    96
#define TASK_HEX   32
#define MEMBER_LEN (TASK_HEX + 2)

struct keys {
    char slots[KEY_MAX];
    char pending[KEY_MAX];
    char tried[KEY_MAX];
};

static void keys_of(struct uuid source, int64_t master, struct keys *k)
{
    char id[ID_TEXT_MAX];

    id_format(ID_SOURCE, source, id);
    snprintf(k->slots, sizeof(k->slots), "{%s}:slots", id);
    snprintf(k->pending, sizeof(k->pending), "{%s}:pending", id);
    snprintf(k->tried, sizeof(k->tried), "{%s}:tried:%" PRId64, id, master);
}

static void add(struct link_args *a, const char *s)
{
    link_arg(a, s, strlen(s));
}

static void member_of(const struct slot *slot, char out[MEMBER_LEN + 1])
{
    hex_encode(slot->task.b, sizeof(slot->task.b), out);
    out[TASK_HEX] = ':';
    out[TASK_HEX + 1] = (char)('0' + slot->digit);
    out[MEMBER_LEN] = '\0';
}

static enum err_code open_more(struct queue *q, struct uuid source, struct uuid task, int want,
                               int more, struct err *err)
{
    struct keys k;
    struct link_args a;
    char hex[TASK_HEX + 1];
    char n_want[2] = {(char)('0' + want), '\0'};
    char n_more[2] = {(char)('0' + more), '\0'};

    if (want < 0 || want > SLOT_DIGITS)
        return err_set(err, E_RANGE, "a task has at most %d slots", SLOT_DIGITS);
    keys_of(source, 0, &k);
    hex_encode(task.b, sizeof(task.b), hex);
    link_eval(q, &a, SCRIPT_OPEN, "2");
    add(&a, k.slots);
    add(&a, k.pending);
    add(&a, hex);
    add(&a, n_want);
    add(&a, n_more);
    return link_append(q, &a, err);
}

enum err_code slots_open(struct queue *q, struct uuid source, struct uuid task, int n,
                         struct err *err)
{
    return open_more(q, source, task, n, 0, err);
}

enum err_code slots_reopen(struct queue *q, struct uuid source, struct uuid task, struct err *err)
{
    return open_more(q, source, task, 0, 1, err);
}

/* Ask for the first member of the wish's source `i`, to take it or only to look. */
static enum err_code ask_first(struct queue *q, const struct slots_wish *wish, size_t i, bool take,
                               struct err *err)
{
    struct keys k;
    struct link_args a;
    char pending_ms[16];

    keys_of(wish->sources[i], wish->master, &k);
    snprintf(pending_ms, sizeof(pending_ms), "%d", SLOT_PENDING_MS);
    link_eval(q, &a, SCRIPT_POP, "3");
    add(&a, k.slots);
    add(&a, k.pending);
    add(&a, k.tried);
    add(&a, pending_ms);
    add(&a, take ? "1" : "0");
    return link_append(q, &a, err);
}

/* The member that was asked for; "" when there is none. */
static enum err_code read_first(struct queue *q, char member[MEMBER_LEN + 1], struct err *err)
{
    redisReply *r;
    enum err_code rc = link_next(q, &r, err);

    if (rc != E_OK)
        return rc;
    member[0] = '\0';
    if (r->type == REDIS_REPLY_STRING && r->len == MEMBER_LEN) {
        memcpy(member, r->str, MEMBER_LEN + 1);
    } else if (r->type != REDIS_REPLY_NIL) {
        rc = err_set(err, E_PEER, "Redis answered a slot that is none");
    }
    freeReplyObject(r);
    return rc;
}

static enum err_code ask_mark(struct queue *q, struct err *err)
{
    struct link_args a = {.n = 0};

    add(&a, "EXISTS");
    add(&a, BOOK_MARK);
    return link_append(q, &a, err);
}

static enum err_code read_mark(struct queue *q, struct err *err)
{
    redisReply *r;
    enum err_code rc = link_next(q, &r, err);
    bool whole;

    if (rc != E_OK)
        return rc;
    whole = r->type == REDIS_REPLY_INTEGER && r->integer == 1;
    freeReplyObject(r);
    if (whole)
        return E_OK;
    (void)link_lost(q);
    return err_set(err, E_PEER, "Redis has lost the book of open slots");
}

/* The source with the oldest slot, `n` when none has one. Looks are cheap beside an attempt at the
 * wrong one, and all of them are one round trip. */
static enum err_code best_of(struct queue *q, const struct slots_wish *wish, size_t *best,
                             struct err *err)
{
    char oldest[MEMBER_LEN + 1] = "";
    char member[MEMBER_LEN + 1];
    bool looks = wish->n > 1;
    enum err_code rc;

    link_drain(q);
    rc = ask_mark(q, err);
    for (size_t i = 0; rc == E_OK && looks && i < wish->n; i++)
        rc = ask_first(q, wish, i, false, err);
    if (rc == E_OK)
        rc = read_mark(q, err);
    *best = looks ? wish->n : 0;
    for (size_t i = 0; rc == E_OK && looks && i < wish->n; i++) {
        rc = read_first(q, member, err);
        if (rc == E_OK && member[0] && (*best == wish->n || strcmp(member, oldest) < 0)) {
            memcpy(oldest, member, sizeof(member));
            *best = i;
        }
    }
    return rc;
}

static bool read_member(const char member[MEMBER_LEN + 1], struct slot *out)
{
    out->digit = member[MEMBER_LEN - 1] - '0';
    return out->digit >= 0 && out->digit < SLOT_DIGITS &&
           hex_decode(member, TASK_HEX, out->task.b, sizeof(out->task.b));
}

enum err_code slots_pop(struct queue *q, const struct slots_wish *wish, struct slot *out,
                        bool *found, struct err *err)
{
    char member[MEMBER_LEN + 1] = "";
    size_t best = 0;
    enum err_code rc = best_of(q, wish, &best, err);

    /* What is unread now are looks behind a failed one. */
    link_drain(q);
    if (rc == E_OK && best < wish->n)
        rc = ask_first(q, wish, best, true, err);
    if (rc == E_OK && best < wish->n)
        rc = read_first(q, member, err);
    if (rc != E_OK)
        return rc;
    if (member[0]) {
        out->source = wish->sources[best];
        if (!read_member(member, out))
            return err_set(err, E_PEER, "Redis answered a slot that is none");
    }
    *found = member[0] != '\0';
    return E_OK;
}

enum err_code slots_ack(struct queue *q, const struct slot *slot, struct err *err)
{
    struct keys k;
    struct link_args a = {.n = 0};
    char member[MEMBER_LEN + 1];

    keys_of(slot->source, 0, &k);
    member_of(slot, member);
    add(&a, "ZREM");
    add(&a, k.pending);
    add(&a, member);
    return link_append(q, &a, err);
}

enum err_code slots_return(struct queue *q, const struct slot *slot, struct err *err)
{
    struct keys k;
    struct link_args a;
    char member[MEMBER_LEN + 1];

    keys_of(slot->source, 0, &k);
    member_of(slot, member);
    link_eval(q, &a, SCRIPT_RETURN, "2");
    add(&a, k.slots);
    add(&a, k.pending);
    add(&a, member);
    return link_append(q, &a, err);
}

enum err_code slots_tried(struct queue *q, struct uuid source, struct uuid task, int64_t master,
                          int64_t ms, struct err *err)
{
    struct keys k;
    struct link_args a = {.n = 0};
    char hex[TASK_HEX + 1];
    char keep[24];

    keys_of(source, master, &k);
    hex_encode(task.b, sizeof(task.b), hex);
    if (ms > 0) {
        snprintf(keep, sizeof(keep), "%" PRId64, ms);
        link_eval(q, &a, SCRIPT_TRIED, "1");
        add(&a, k.tried);
        add(&a, hex);
        add(&a, keep);
    } else {
        add(&a, "ZREM");
        add(&a, k.tried);
        add(&a, hex);
    }
    return link_append(q, &a, err);
}

enum err_code slots_drop(struct queue *q, struct uuid source, struct uuid task, struct err *err)
{
    struct keys k;
    struct link_args a;
    char hex[TASK_HEX + 1];

    keys_of(source, 0, &k);
    hex_encode(task.b, sizeof(task.b), hex);
    link_eval(q, &a, SCRIPT_DROP, "2");
    add(&a, k.slots);
    add(&a, k.pending);
    add(&a, hex);
    return link_append(q, &a, err);
}

static void token_key(uint64_t token, char out[KEY_MAX])
{
    snprintf(out, KEY_MAX, "{" BOOK_MARK "}:%016" PRIx64, token);
}

enum err_code slots_begin(struct queue *q, uint64_t token, struct err *err)
{
    struct link_args a = {.n = 0};
    char key[KEY_MAX];
    redisReply *r;
    enum err_code rc;

    token_key(token, key);
    link_drain(q);
    add(&a, "SET");
    add(&a, key);
    add(&a, "1");
    add(&a, "EX");
    add(&a, "600");
    rc = link_append(q, &a, err);
    if (rc == E_OK)
        rc = link_next(q, &r, err);
    if (rc == E_OK)
        freeReplyObject(r);
    return rc;
}

enum err_code slots_mark(struct queue *q, uint64_t token, struct err *err)
{
    struct link_args a;
    char key[KEY_MAX];

    token_key(token, key);
    link_eval(q, &a, SCRIPT_MARK, "2");
    add(&a, key);
    add(&a, BOOK_MARK);
    return link_append(q, &a, err);
}
