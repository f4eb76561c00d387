/* SPDX-License-Identifier: MIT */
#include "db/batch.h"

#include <stdlib.h>

#include "db/encode.h"

void queue_push(struct call_queue *q, struct db_call *call)
{
    call->next = NULL;
    if (q->tail) {
        q->tail->next = call;
    } else {
        q->head = call;
    }
    q->tail = call;
    q->n++;
}

struct db_call *queue_pop(struct call_queue *q)
{
    struct db_call *call = q->head;

    if (call) {
        q->head = call->next;
        if (!q->head) {
            q->tail = NULL;
        }
        call->next = NULL;
        q->n--;
    }
    return call;
}

void queue_join(struct call_queue *q, struct call_queue *from)
{
    if (!from->head) {
        return;
    }
    if (q->tail) {
        q->tail->next = from->head;
    } else {
        q->head = from->head;
    }
    q->tail = from->tail;
    q->n += from->n;
    *from = (struct call_queue){0};
}

void picker_done(struct picker *p)
{
    free(p->fair);
    p->fair = NULL;
    p->n_fair = 0;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 33) * 0xff51afd7ed558ccdULL;
    return x ^ x >> 33;
}

/* The slot of a key, empty when it was not seen in this batch. The table is never full. */
static struct pick_slot *find(struct pick_slot *table, size_t slots, uint64_t key, uint32_t stamp)
{
    size_t i = mix(key) & (slots - 1);

    while (table[i].stamp == stamp && table[i].key != key) {
        i = (i + 1) & (slots - 1);
    }
    if (table[i].stamp != stamp) {
        table[i] = (struct pick_slot){.key = key, .stamp = stamp - 1};
    }
    return &table[i];
}

static void grow_fair(struct picker *p, size_t calls)
{
    size_t slots = p->n_fair ? p->n_fair : 1024;

    while (slots < 2 * calls) {
        slots *= 2;
    }
    if (slots != p->n_fair) {
        free(p->fair);
        p->fair = calloc(slots, sizeof(*p->fair));
        if (!p->fair) {
            abort();
        }
        p->n_fair = slots;
    }
}

static bool is_read(const struct db_call *call)
{
    return sql_stmts[call->stmt].class == SQL_CLASS_READ;
}

static bool fits(const struct db_call *first, const struct db_call *call)
{
    return call->stmt == first->stmt || is_read(first);
}

/* What one account may take of this batch: all of it unless more calls wait than fit. */
static uint32_t fair_share(const struct call_queue *q, struct picker *p, size_t max)
{
    size_t waiting = 0;
    size_t accounts = 0;

    if (q->n <= max) {
        return UINT32_MAX;
    }
    grow_fair(p, q->n);
    for (const struct db_call *c = q->head; c; c = c->next) {
        if (fits(q->head, c)) {
            struct pick_slot *s = find(p->fair, p->n_fair, (uint64_t)c->fair, p->stamp);

            accounts += s->stamp != p->stamp;
            s->stamp = p->stamp;
            s->n = 0;
            waiting++;
        }
    }
    if (waiting <= max || accounts == 0) {
        return UINT32_MAX;
    }
    return accounts < max ? (uint32_t)(max / accounts) : 1;
}

struct pick {
    struct db_call **out;
    size_t max;
    size_t n;
    size_t bytes;
    const struct db_call *first;
};

static bool take(struct pick *k, struct picker *p, struct db_call *c, uint32_t share)
{
    struct pick_slot *account = NULL;

    if (!fits(k->first, c)) {
        return false;
    }
    if (share != UINT32_MAX) {
        account = find(p->fair, p->n_fair, (uint64_t)c->fair, p->stamp);
        if (account->n >= share) {
            return false;
        }
    }
    if (c->conflict && !is_read(c)) {
        struct pick_slot *s = find(p->conflict, ARRAY_LEN(p->conflict), c->conflict, p->stamp);

        if (s->stamp == p->stamp) {
            return false;
        }
        s->stamp = p->stamp;
    }
    if (account) {
        account->n++;
    }
    k->bytes += encode_weight(&sql_stmts[c->stmt], c->in);
    k->out[k->n++] = c;
    return true;
}

static bool full(const struct pick *k)
{
    return k->n == k->max || k->bytes >= BATCH_BYTES_MAX;
}

static void pass(struct call_queue *q, struct picker *p, struct pick *k, uint32_t share)
{
    struct db_call *before = NULL;
    struct db_call *c = q->head;

    while (c && !full(k)) {
        struct db_call *next = c->next;

        if (take(k, p, c, share)) {
            if (before) {
                before->next = next;
            } else {
                q->head = next;
            }
            if (!next) {
                q->tail = before;
            }
            c->next = NULL;
            q->n--;
        } else {
            before = c;
        }
        c = next;
    }
}

size_t batch_pick(struct call_queue *q, struct picker *p, size_t max, struct db_call **out)
{
    struct pick k = {.out = out, .max = max, .first = q->head};
    uint32_t share;

    if (!q->head) {
        return 0;
    }
    if (!is_read(q->head) && sql_stmts[q->head->stmt].n_params == 0) {
        /* Without an array the statement cannot know how many calls it serves. */
        k.max = 1;
    }
    /* Stamps 0 and stamp - 1 mark unused slots: start over before they wrap into each other. */
    if (p->stamp >= UINT32_MAX - 4) {
        picker_done(p);
        *p = (struct picker){0};
    }
    p->stamp += 2;
    share = fair_share(q, p, k.max);
    pass(q, p, &k, share);
    if (share != UINT32_MAX) {
        /* Room that accounts with few calls left over. */
        pass(q, p, &k, UINT32_MAX);
    }
    return k.n;
}
