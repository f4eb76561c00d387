/* SPDX-License-Identifier: MIT */
#include "api.h"
#include "handlers/common.h"
#include "handlers/view.h"
#include "lib/hash.h"
#include "lib/killpoint.h"
#include "queue/bell.h"
#include "queue/post.h"
#include "queue/slots.h"
#include "server/app.h"

#define SOURCES_MAX 64 /* that one claim looks at, and the bells it waits for */
#define TRIES_MAX   64 /* slots refused before the claim waits again */
#define PICK_MAX    8
#define FRESH_TICKS 5 /* waits after which the registrations are read again */

struct claim {
    struct sql_claim_begin begin;
    struct sql_slot_pick pick;
    struct sql_attempt_open open;
    struct sql_claim_view view;
    struct uuid sources[SOURCES_MAX];
    uint64_t topics[SOURCES_MAX];
    size_t n_sources;
    struct slot slot;
    bool popped; /* `slot` came from the book */
    struct uuid picked[PICK_MAX];
    size_t n_picked;
    int tries;
    int ticks;
    int64_t deadline_us;
    struct uuid attempt; /* opened here: goes back when the answer cannot be delivered */
    struct uuid task;
};

static enum op_next begin(struct op *op);
static enum op_next look(struct op *op);

/* `wanted` as the statements read it: UUIDs with commas; no value for all. */
static struct text wanted_of(struct op *op, const json_t *sources)
{
    char *out = arena_alloc(op->arena, 37 * json_array_size(sources) + 1);
    size_t n = 0;
    size_t i;
    json_t *word;

    json_array_foreach(sources, i, word)
    {
        struct uuid id;

        if (!id_parse(ID_SOURCE, text_of(json_string_value(word)), &id))
            continue;
        if (n > 0)
            out[n++] = ',';
        memcpy(out + n, uuid_text(op, id), 36);
        n += 36;
    }
    return (struct text){out, n};
}

static enum op_next rest(struct op *op);

static enum op_next woken(struct op *op)
{
    struct claim *c = op->state;

    if (op->woken_by_deadline)
        return op_empty(op, 204);
    c->tries = 0;
    return ++c->ticks % FRESH_TICKS == 0 ? begin(op) : look(op);
}

static enum op_next rest(struct op *op)
{
    struct claim *c = op->state;
    const struct in_create_claim *in = op->in;

    if (in->wait == 0)
        return op_empty(op, 204);
    return op_wait(op, c->topics, c->n_sources, c->deadline_us, woken);
}

static enum op_next viewed(struct op *op)
{
    struct json_out *o = json_out_new(op->arena);
    const struct sql_claim_view_row *row = op->rows;
    struct claim *c = op->state;

    if (!found(op, E_ATTEMPT_NOT_FOUND))
        return OP_REPLY;
    /* Where the slot goes back to, should this answer not arrive; the database path knows only now.
     */
    c->slot.source = row->source;
    /* The claim_ref of an attempt that is over: there is nothing left to run. */
    if (!text_is(row->state, "live"))
        return op_empty(op, 204);
    view_claim(o, NULL, row, op->app->lease_s);
    return reply(op, 200, o);
}

static enum op_next view(struct op *op, struct uuid attempt)
{
    struct claim *c = op->state;

    c->view = (struct sql_claim_view){.attempt = attempt, .provider = op->who.provider};
    return op_call(op, SQL_CLAIM_VIEW, &c->view, key_of(attempt), 0, viewed);
}

static void settle_slot(struct op *op, enum slot_fate fate)
{
    struct claim *c = op->state;

    if (c->popped)
        post_slot(op->app->queue, &c->slot, op->who.account, fate);
    c->popped = false;
}

static enum op_next refused(struct op *op, struct text outcome)
{
    struct claim *c = op->state;

    if (text_is(outcome, "operator_tried"))
        settle_slot(op, SLOT_TRIED);
    else if (text_is(outcome, "not_registered"))
        settle_slot(op, SLOT_RETURNED);
    else
        settle_slot(op, SLOT_WORTHLESS);
    /* The registration went meanwhile: read them again before the next look. */
    if (text_is(outcome, "not_registered"))
        return ++c->tries < TRIES_MAX ? begin(op) : rest(op);
    return ++c->tries < TRIES_MAX ? look(op) : rest(op);
}

static enum op_next opened(struct op *op)
{
    struct claim *c = op->state;
    const struct sql_attempt_open_row *row = op->rows;

    if (op->err.code != E_OK || op->n_rows != 1) {
        settle_slot(op, SLOT_RETURNED);
        return op->err.code != E_OK ? op_fail_err(op)
                                    : op_fail(op, E_INTERNAL, "the database answered nothing");
    }
    if (!text_is(row->outcome, "ok"))
        return refused(op, row->outcome);
    KILLPOINT("g5");
    /* A twin of this claim_ref got there first: its attempt is the answer, this slot is not used.
     */
    settle_slot(op, uuid_eq(row->id, c->open.id) ? SLOT_TAKEN : SLOT_RETURNED);
    c->attempt = row->id;
    c->task = c->open.task;
    KILLPOINT("g6");
    return view(op, row->id);
}

static enum op_next open_attempt(struct op *op, struct uuid task)
{
    const struct in_create_claim *in = op->in;
    struct claim *c = op->state;

    c->open = (struct sql_attempt_open){
        .id = app_new_id(op->app),
        .task = task,
        .provider = op->who.provider,
        .claim_ref = in->claim_ref,
        .lease_s = (int32_t)op->app->lease_s,
    };
    return op_call(op, SQL_ATTEMPT_OPEN, &c->open, key_of(task), key_of(task), opened);
}

static enum op_next next_picked(struct op *op)
{
    struct claim *c = op->state;

    if (c->n_picked == 0)
        return rest(op);
    return open_attempt(op, c->picked[--c->n_picked]);
}

static enum op_next picked(struct op *op)
{
    struct claim *c = op->state;
    const struct sql_slot_pick_row *rows = op->rows;

    if (op->err.code != E_OK)
        return op_fail_err(op);
    c->n_picked = op->n_rows < PICK_MAX ? op->n_rows : PICK_MAX;
    /* Taken from the end: oldest last. */
    for (size_t i = 0; i < c->n_picked; i++)
        c->picked[c->n_picked - 1 - i] = rows[i].task;
    return next_picked(op);
}

static enum op_next popped(struct op *op)
{
    struct claim *c = op->state;

    /* Redis away, or without the book: the database finds, once a second. */
    if (op->err.code != E_OK)
        return op_call(op, SQL_SLOT_PICK, &c->pick, key_of(op->who.provider), 0, picked);
    if (!c->popped)
        return rest(op);
    return open_attempt(op, c->slot.task);
}

static void pop(struct op *op, struct queue *queue)
{
    struct claim *c = op->state;
    const struct slots_wish wish = {c->sources, c->n_sources, op->who.account};

    c->popped = false;
    if (slots_pop(queue, &wish, &c->slot, &c->popped, &op->err) != E_OK)
        c->popped = false;
}

static enum op_next look(struct op *op)
{
    struct claim *c = op->state;

    if (c->n_picked > 0)
        return next_picked(op);
    if (c->n_sources == 0)
        return rest(op);
    return op_queue(op, pop, popped);
}

static enum op_next begun(struct op *op)
{
    struct claim *c = op->state;
    const struct sql_claim_begin_row *rows = op->rows;
    uint64_t turn;

    if (!found(op, E_INTERNAL))
        return OP_REPLY;
    if (!uuid_is_zero(rows[0].attempt))
        return view(op, rows[0].attempt);
    c->n_sources = 0;
    /* More than one claim can look at: another part of them each time. */
    random_bytes(&turn, sizeof(turn));
    for (size_t i = 0; i < op->n_rows && c->n_sources < SOURCES_MAX; i++) {
        struct uuid source = rows[op->n_rows > SOURCES_MAX ? (i + turn) % op->n_rows : i].source;

        if (uuid_is_zero(source))
            continue;
        c->sources[c->n_sources] = source;
        c->topics[c->n_sources++] = bell_source(source);
    }
    return look(op);
}

static enum op_next begin(struct op *op)
{
    struct claim *c = op->state;

    c->n_picked = 0;
    return op_call(op, SQL_CLAIM_BEGIN, &c->begin, key_of(op->who.provider), 0, begun);
}

static enum op_next parse(struct op *op)
{
    const struct in_create_claim *in = op->in;
    struct claim *c = arena_alloc(op->arena, sizeof(*c));
    struct text wanted = {0};

    if (in->has_sources)
        wanted = wanted_of(op, in->sources);
    c->begin = (struct sql_claim_begin){
        .provider = op->who.provider, .claim_ref = in->claim_ref, .wanted = wanted};
    c->pick =
        (struct sql_slot_pick){.provider = op->who.provider, .wanted = wanted, .max = PICK_MAX};
    c->deadline_us = op->started_us + in->wait * 1000000;
    op->state = c;
    return begin(op);
}

/* An answer nobody got closes its attempt without blame; the same claim_ref would have re-read it.
 */
static void undelivered(struct op *op)
{
    struct claim *c = op->state;
    struct sql_attempt_end end;

    if (c == NULL || uuid_is_zero(c->attempt))
        return;
    end = (struct sql_attempt_end){
        .id = c->attempt,
        .provider = op->who.provider,
        .how = text_of("released"),
        .code = text_of("undelivered"),
        .message = text_of("the claim's answer could not be delivered"),
        .attempts_max = (int32_t)op->app->attempts_max,
    };
    op_fire(op->app, SQL_ATTEMPT_END, &end, sizeof(end), key_of(c->task), key_of(c->task));
    if (uuid_is_zero(c->slot.source))
        return; /* not known yet: the keeper's resync brings the slot back */
    post_untried(op->app->queue, c->slot.source, c->task, op->who.account);
    post_reopen(op->app->queue, c->slot.source, c->task);
}

const struct op_def op_create_claim = {.parse = parse, .undelivered = undelivered};
