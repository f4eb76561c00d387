/* SPDX-License-Identifier: MIT */
/* What a look at the machine changes in the book. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "workers/device/book_rows.h"
#include "workers/device/fault.h"
#include "workers/device/lock.h"

/* What the holders have to be told, once the book is closed again. */
struct bell {
    unsigned holder;
    char code[FAULT_CODE_MAX];
    char text[FAULT_TEXT_MAX];
};
struct bells {
    struct bell row[DEVICES_MAX];
    size_t n;
};

static void ring(struct bells *bells, const struct book_row *r, const char *code, const char *text)
{
    struct bell *bell = &bells->row[bells->n];
    if (r->state != DEVICE_LEASED || bells->n >= DEVICES_MAX)
        return;
    bell->holder = r->holder;
    snprintf(bell->code, sizeof(bell->code), "%s", code);
    snprintf(bell->text, sizeof(bell->text), "%s", text);
    bells->n++;
}

static const struct device *find(const struct device_list *seen, const char *uuid)
{
    for (size_t i = 0; i < seen->n; i++) {
        if (strcmp(seen->row[i].uuid, uuid) == 0)
            return &seen->row[i];
    }
    return NULL;
}

/* A fault of the card itself. @return whether it has one */
static bool judge_card(const struct book_row *r, const struct device *now, char *code, char *text)
{
    const struct fault_kind *kind = fault_of_xid(now->xid);
    int64_t before = r->device.vitals.ecc_uncorrected;
    if (now->xid != 0 && !kind->program) {
        snprintf(code, FAULT_CODE_MAX, "xid");
        snprintf(text, FAULT_TEXT_MAX, "XID %d: %s", now->xid, kind->text);
        return true;
    }
    if (before >= 0 && now->vitals.ecc_uncorrected > before) {
        snprintf(code, FAULT_CODE_MAX, "ecc");
        snprintf(text, FAULT_TEXT_MAX, "uncorrected ECC errors grew from %" PRId64 " to %" PRId64,
                 before, now->vitals.ecc_uncorrected);
        return true;
    }
    return false;
}

/* What the program on the card did wrong; the card stays in service. */
static void judge_program(struct bells *bells, const struct book_row *r, const struct device *now)
{
    char text[FAULT_TEXT_MAX];
    if (now->xid != 0) {
        snprintf(text, sizeof(text), "XID %d: %s", now->xid, fault_of_xid(now->xid)->text);
        ring(bells, r, "gpu_error", text);
    } else if (r->watched && now->vitals.process_mb > r->limit_mb) {
        snprintf(text, sizeof(text),
                 "%" PRId64 " MiB of the card's memory in use, %" PRId64 " allowed",
                 now->vitals.process_mb, r->limit_mb);
        ring(bells, r, "vram_limit", text);
    }
}

enum device_state device_state_now(const char *dir, const char *lock_dir, const struct device *d,
                                   struct device_fault *fault)
{
    if (quarantine_get(dir, d->uuid, fault))
        return DEVICE_QUARANTINED;
    if (!device_is_card(d))
        return d->environment == ENV_CPU ? DEVICE_FREE : DEVICE_SPLIT;
    return d->vitals.processes > 0 || lock_is_held(lock_dir, d->uuid) ? DEVICE_BUSY : DEVICE_FREE;
}

/* Who was on a card without a lease leaves what nobody scrubbed. One that another worker has is its
 * own affair: then the lock is not to be had. */
static void soil(const char *lock_dir, const char *uuid)
{
    bool clean = false;
    int lock = lock_take(lock_dir, uuid, &clean);
    if (lock >= 0 && clean && !lock_mark(lock, false))
        log_warn("device_lock", "uuid=%s why=%s", uuid, strerror(errno));
    lock_drop(lock);
}

/* States that come and go by themselves. */
static void settle(struct device_book *b, struct book_row *r)
{
    if (r->state != DEVICE_LEASED && r->device.vitals.processes > 0)
        soil(b->config.lock_dir, r->device.uuid);
    if (r->state != DEVICE_LEASED)
        book_set_state(b, r, device_state_now(b->dir, b->config.lock_dir, &r->device, &r->fault));
}

static void meet(struct device_book *b, struct book_row *r, const struct device *now,
                 struct bells *bells)
{
    char code[FAULT_CODE_MAX];
    char text[FAULT_TEXT_MAX];
    bool bad = judge_card(r, now, code, text);
    if (bad) {
        ring(bells, r, "device_fault", text);
    } else {
        judge_program(bells, r, now);
    }
    r->device = *now;
    if (bad && r->state != DEVICE_QUARANTINED)
        book_condemn(b, r, code, text);
    settle(b, r);
}

static void miss(struct device_book *b, struct book_row *r, struct bells *bells)
{
    if (r->state == DEVICE_LOST)
        return;
    log_error("device_lost", "uuid=%s", r->device.uuid);
    ring(bells, r, "device_lost", "the card does not answer any more");
    r->device.lost = true;
    book_set_state(b, r, DEVICE_LOST);
}

static void add_new(struct device_book *b, const struct device_list *seen, struct bells *bells)
{
    for (size_t i = 0; i < seen->n; i++) {
        bool known = false;
        for (size_t k = 0; k < b->n; k++)
            known = known || strcmp(b->row[k].device.uuid, seen->row[i].uuid) == 0;
        if (known || b->n >= DEVICES_MAX || seen->row[i].lost)
            continue;
        struct book_row *r = &b->row[b->n++];
        *r = (struct book_row){.device = seen->row[i], .state = DEVICE_BUSY};
        meet(b, r, &seen->row[i], bells);
    }
}

void book_update(struct device_book *b, const struct device_list *seen)
{
    struct bells bells = {.n = 0};
    pthread_mutex_lock(&b->mutex);
    for (size_t i = 0; i < b->n; i++) {
        const struct device *now = find(seen, b->row[i].device.uuid);
        if (now && !now->lost)
            meet(b, &b->row[i], now, &bells);
        else
            miss(b, &b->row[i], &bells);
    }
    add_new(b, seen, &bells);
    pthread_mutex_unlock(&b->mutex);
    for (size_t i = 0; i < bells.n && b->config.alarm; i++)
        b->config.alarm(b->config.ctx, bells.row[i].holder, bells.row[i].code, bells.row[i].text);
}

json_t *device_state_json(const struct device *d, enum device_state state,
                          const struct device_fault *fault)
{
    json_t *v = device_json(d);
    if (d->environment != ENV_CPU)
        json_object_set_new(v, "state", json_string(device_state_word(state)));
    if (state == DEVICE_QUARANTINED)
        json_object_set_new(v, "fault",
                            json_pack("{s:s, s:s}", "code", fault->code, "message", fault->text));
    return v;
}

/* A card that a slot holds while it waits for work is as good as free. */
static enum device_state shown(const struct book_row *r)
{
    return r->state == DEVICE_LEASED && !r->watched ? DEVICE_FREE : r->state;
}

json_t *book_json(struct device_book *b)
{
    json_t *a = json_array();
    pthread_mutex_lock(&b->mutex);
    for (size_t i = 0; i < b->n; i++) {
        const struct book_row *r = &b->row[i];
        json_array_append_new(a, device_state_json(&r->device, shown(r), &r->fault));
    }
    pthread_mutex_unlock(&b->mutex);
    return a;
}
