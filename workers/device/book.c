/* SPDX-License-Identifier: MIT */
#include "workers/device/book.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "workers/device/book_rows.h"
#include "workers/device/fault.h"
#include "workers/device/lock.h"
#include "workers/device/scrub.h"

static const char *const words[] = {
    [DEVICE_FREE] = "free", [DEVICE_LEASED] = "leased",
    [DEVICE_BUSY] = "busy", [DEVICE_QUARANTINED] = "quarantined",
    [DEVICE_LOST] = "lost", [DEVICE_SPLIT] = "split",
};

const char *device_state_word(enum device_state state)
{
    return words[state];
}

enum err_code book_open(const struct device_book_config *config, struct device_book **out,
                        struct err *err)
{
    struct device_book *b = calloc(1, sizeof(*b));
    if (!b)
        return err_set(err, E_INTERNAL, "no memory");
    b->config = *config;
    pthread_mutex_init(&b->mutex, NULL);
    snprintf(b->dir, sizeof(b->dir), "%.300s/devices", config->work_dir);
    if (mkdir(b->dir, 0755) != 0 && errno != EEXIST) {
        enum err_code rc =
            err_set(err, E_CONFIG, "cannot make %.120s: %s", b->dir, strerror(errno));
        book_close(b);
        return rc;
    }
    /* A worker without cards, or without the right to any, is a worker all the same. */
    if (!lock_folder(config->lock_dir))
        log_warn("no_device_locks", "dir=%s why=%s", config->lock_dir, strerror(errno));
    *out = b;
    return E_OK;
}

void book_close(struct device_book *b)
{
    if (!b)
        return;
    pthread_mutex_destroy(&b->mutex);
    free(b);
}

/* ---- choosing ---- */

static bool suits(const struct device *d, const struct device_want *want)
{
    return device_is_card(d) && (d->environment & want->environments) != 0 &&
           d->memory_mb >= want->memory_mb && (!want->uuid || strcmp(d->uuid, want->uuid) == 0);
}

static bool is_promised(const struct book_row *r, const struct device_want *want)
{
    return r->called && !want->uuid && !want->in_hand;
}

/* Anybody else's process on a card that nobody leased: it is not ours to give away. */
static bool has_strangers(const struct device *d)
{
    return d->vitals.processes > 0;
}

/* The smallest that does; big cards stay for those who need them. */
static struct book_row *choose(struct device_book *b, const struct device_want *want,
                               const bool *passed)
{
    struct book_row *best = NULL;
    for (size_t i = 0; i < b->n; i++) {
        struct book_row *r = &b->row[i];
        if (r->state != DEVICE_FREE || (passed && passed[i]) || !suits(&r->device, want) ||
            is_promised(r, want) || has_strangers(&r->device))
            continue;
        if (!best || r->device.memory_mb < best->device.memory_mb)
            best = r;
    }
    return best;
}

/* ---- leases ---- */

void book_set_state(struct device_book *b, struct book_row *r, enum device_state state)
{
    if (r->state == state)
        return;
    log_info("device", "uuid=%s was=%s is=%s", r->device.uuid, words[r->state], words[state]);
    r->state = state;
    b->changes++;
}

void book_condemn(struct device_book *b, struct book_row *r, const char *code, const char *text)
{
    struct err err;
    r->fault = (struct device_fault){.at_us = clock_wall_us()};
    snprintf(r->fault.code, sizeof(r->fault.code), "%s", code);
    snprintf(r->fault.text, sizeof(r->fault.text), "%s", text);
    log_error("device_quarantined", "uuid=%s code=%s why=%s", r->device.uuid, code, text);
    if (quarantine_put(b->dir, r->device.uuid, &r->fault, &err) != E_OK)
        log_error("quarantine_not_kept", "why=%s", err.text);
    book_set_state(b, r, DEVICE_QUARANTINED);
}

static struct book_row *row_of(struct device_book *b, const char *uuid)
{
    for (size_t i = 0; i < b->n; i++) {
        if (strcmp(b->row[i].device.uuid, uuid) == 0)
            return &b->row[i];
    }
    return NULL;
}

/* Take a card out of service, for this worker and the next one of its work folder. */
static void quarantine(struct device_book *b, const char *uuid, const char *code, const char *text)
{
    pthread_mutex_lock(&b->mutex);
    struct book_row *r = row_of(b, uuid);
    if (r && r->state != DEVICE_QUARANTINED)
        book_condemn(b, r, code, text);
    pthread_mutex_unlock(&b->mutex);
}

void book_fail(struct device_book *b, const struct device_lease *lease, const char *code,
               const char *text)
{
    quarantine(b, lease->device.uuid, code, text);
}

/*
 * What has no driver is a simulation, or it is refused. One that processes are on is not clean, but
 * not at fault either: it stays busy, and is scrubbed when they are gone.
 *
 * @alone  set when the scrub saw that no process is on it
 * @return whether its memory may be given to anybody
 */
static bool make_clean(struct device_book *b, const struct device *d, bool *alone)
{
    char why[SCRUB_TEXT_MAX];
    *alone = false;
    if (!b->config.scrub || d->environment != ENV_NVIDIA)
        return true;
    enum scrub_end end = device_scrub(d->uuid, why);
    *alone = end == SCRUB_CLEAN;
    if (end == SCRUB_CLEAN || (end == SCRUB_NO_DRIVER && d->simulated))
        return true;
    if (end == SCRUB_HELD) {
        log_warn("device_held", "uuid=%s why=%s", d->uuid, why);
        return false;
    }
    quarantine(b, d->uuid, end == SCRUB_RESIDUE ? "residue" : "scrub", why);
    return false;
}

/* Lock and clean a row that is marked as leased already. @return whether it is ours. */
static bool secure(struct device_book *b, struct device_lease *lease)
{
    bool clean = false;
    bool alone;
    lease->lock = lock_take(b->config.lock_dir, lease->device.uuid, &clean);
    if (lease->lock < 0)
        return false;
    if ((clean || make_clean(b, &lease->device, &alone)) && lock_mark(lease->lock, false))
        return true;
    lock_drop(lease->lock);
    return false;
}

enum err_code book_lease(struct device_book *b, const struct device_want *want, unsigned holder,
                         struct device_lease *out, struct err *err)
{
    bool passed[DEVICES_MAX] = {false};
    for (;;) {
        pthread_mutex_lock(&b->mutex);
        struct book_row *r = choose(b, want, passed);
        struct device_lease lease = {.held = true, .lock = -1};
        size_t at = r ? (size_t)(r - b->row) : 0;
        if (r) {
            book_set_state(b, r, DEVICE_LEASED);
            r->holder = holder;
            lease.device = r->device;
        }
        pthread_mutex_unlock(&b->mutex);
        if (!r)
            return err_set(err, E_NO_SLOT, "no card is free that would do");
        bool ours = secure(b, &lease);
        pthread_mutex_lock(&b->mutex);
        if (!ours && b->row[at].state == DEVICE_LEASED)
            book_set_state(b, &b->row[at], DEVICE_BUSY);
        pthread_mutex_unlock(&b->mutex);
        passed[at] = true;
        if (ours) {
            *out = lease;
            return E_OK;
        }
    }
}

void book_call(struct device_book *b, const char *uuid, bool on)
{
    pthread_mutex_lock(&b->mutex);
    struct book_row *r = row_of(b, uuid);
    if (r)
        r->called = on;
    pthread_mutex_unlock(&b->mutex);
}

bool book_is_called(struct device_book *b, const struct device_lease *lease)
{
    pthread_mutex_lock(&b->mutex);
    const struct book_row *r = row_of(b, lease->device.uuid);
    bool called = r && r->called;
    pthread_mutex_unlock(&b->mutex);
    return called;
}

bool book_begin(struct device_book *b, const struct device_lease *lease, int64_t limit_mb)
{
    pthread_mutex_lock(&b->mutex);
    struct book_row *r = row_of(b, lease->device.uuid);
    bool sound = r && r->state == DEVICE_LEASED;
    if (sound) {
        r->watched = true;
        r->limit_mb = limit_mb > 0 ? limit_mb : r->device.memory_mb;
        b->changes++;
    }
    pthread_mutex_unlock(&b->mutex);
    return sound;
}

bool book_is_sound(struct device_book *b, const struct device_lease *lease)
{
    pthread_mutex_lock(&b->mutex);
    const struct book_row *r = row_of(b, lease->device.uuid);
    bool sound = r && r->state == DEVICE_LEASED;
    pthread_mutex_unlock(&b->mutex);
    return sound;
}

void book_cards(struct device_book *b, struct device_list *out)
{
    out->n = 0;
    pthread_mutex_lock(&b->mutex);
    for (size_t i = 0; i < b->n; i++) {
        if (device_is_card(&b->row[i].device))
            out->row[out->n++] = b->row[i].device;
    }
    pthread_mutex_unlock(&b->mutex);
}

void book_return(struct device_book *b, struct device_lease *lease, bool used)
{
    if (!lease->held)
        return;
    pthread_mutex_lock(&b->mutex);
    struct book_row *r = row_of(b, lease->device.uuid);
    bool sound = r && r->state == DEVICE_LEASED;
    if (r)
        r->watched = false;
    pthread_mutex_unlock(&b->mutex);
    /* A card that failed meanwhile is not touched again; its file says that it is not clean. */
    bool alone = false;
    bool clean = sound && (!used || make_clean(b, &lease->device, &alone));
    if (clean && !lock_mark(lease->lock, true))
        log_warn("device_lock", "uuid=%s why=%s", lease->device.uuid, strerror(errno));
    lock_drop(lease->lock);
    lease->held = false;
    pthread_mutex_lock(&b->mutex);
    if (r && r->state == DEVICE_LEASED) {
        if (alone)
            r->device.vitals.processes = 0; /* what the last look saw has ended */
        book_set_state(b, r, clean ? DEVICE_FREE : DEVICE_BUSY);
    }
    pthread_mutex_unlock(&b->mutex);
}

unsigned book_changes(struct device_book *b)
{
    pthread_mutex_lock(&b->mutex);
    unsigned n = b->changes;
    pthread_mutex_unlock(&b->mutex);
    return n;
}
