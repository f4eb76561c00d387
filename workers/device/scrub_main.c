/* SPDX-License-Identifier: MIT */
/* The scrubber's own process: it holds all free memory of one card, zeroes it, and looks again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/hash.h"
#include "workers/device/cuda.h"
#include "workers/device/nvml.h"
#include "workers/device/scrub.h"

#define BLOCK_MAX     ((size_t)1 << 30)
#define BLOCK_MIN     ((size_t)1 << 20)
#define BLOCKS_MAX    4096
#define WINDOW        4096               /* bytes of one sample */
#define WINDOWS       64                 /* samples of a block */
#define SLACK         ((size_t)64 << 20) /* what the driver may keep for itself */
#define SCRUB_ALARM_S 120

/*
 * What a card in order may have in use beside what the scrubber took: the driver's own, and the
 * scrubber's context, which grows with the card. More is somebody's who is not listed; it would
 * come back dirty.
 */
#define BASE_SHARE 8                 /* that part of its memory, */
#define BASE_MAX   ((size_t)1 << 30) /* but never more */

struct holding {
    struct {
        cuda_pointer at;
        size_t size;
    } block[BLOCKS_MAX];
    size_t n;
    size_t bytes;
};

struct report {
    size_t total;
    size_t free;
    size_t scrubbed;
    size_t windows;
    size_t dirty_before; /* windows that were not zero before */
    size_t dirty_after;
};

static void take_all(const struct cuda_calls *k, struct holding *h)
{
    size_t size = BLOCK_MAX;
    h->n = 0;
    h->bytes = 0;
    while (size >= BLOCK_MIN && h->n < BLOCKS_MAX) {
        if (k->alloc(&h->block[h->n].at, size) != 0) {
            size /= 2;
            continue;
        }
        h->block[h->n++].size = size;
        h->bytes += size;
    }
}

static void give_all(const struct cuda_calls *k, struct holding *h)
{
    for (size_t i = 0; i < h->n; i++)
        (void)k->free(h->block[i].at);
    h->n = 0;
}

static bool is_zero(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i])
            return false;
    }
    return true;
}

/* Windows at random places of each block, its first and last among them; how many are not zero. */
static bool sample(const struct cuda_calls *k, const struct holding *h, size_t *dirty,
                   size_t *looked)
{
    unsigned char window[WINDOW];
    *dirty = 0;
    *looked = 0;
    for (size_t i = 0; i < h->n; i++) {
        size_t places = h->block[i].size / WINDOW;
        for (size_t w = 0; w < WINDOWS; w++) {
            uint64_t random;
            random_bytes(&random, sizeof(random));
            size_t place = w == 0 ? 0 : w == 1 ? places - 1 : (size_t)(random % places);
            if (k->to_host(window, h->block[i].at + place * WINDOW, WINDOW) != 0)
                return false;
            *dirty += !is_zero(window, WINDOW);
            (*looked)++;
        }
    }
    return true;
}

static bool zero(const struct cuda_calls *k, const struct holding *h)
{
    for (size_t i = 0; i < h->n; i++) {
        if (k->set(h->block[i].at, 0, h->block[i].size / 4) != 0)
            return false;
    }
    return k->finish() == 0;
}

static size_t base_of(size_t total)
{
    return total / BASE_SHARE < BASE_MAX ? total / BASE_SHARE : BASE_MAX;
}

/* Zero, let go, take again: what is read then is what the next tenant would be given. */
static enum scrub_end work(const struct cuda_calls *k, struct report *r)
{
    static struct holding h;
    size_t looked;
    if (k->memory(&r->free, &r->total) != 0)
        return SCRUB_FAILED;
    take_all(k, &h);
    if (!sample(k, &h, &r->dirty_before, &looked) || !zero(k, &h))
        return SCRUB_FAILED;
    r->scrubbed = h.bytes;
    give_all(k, &h);
    take_all(k, &h);
    bool read = sample(k, &h, &r->dirty_after, &r->windows);
    give_all(k, &h);
    if (!read)
        return SCRUB_FAILED;
    if (r->dirty_after > 0)
        return SCRUB_RESIDUE;
    bool whole = r->scrubbed + SLACK >= r->free && r->total <= r->free + base_of(r->total);
    return r->windows > 0 && whole ? SCRUB_CLEAN : SCRUB_PARTIAL;
}

/* CUDA_VISIBLE_DEVICES has left one device; make sure that it is the one. */
static bool choose(const struct cuda *c, const char *uuid, cuda_device *out)
{
    static struct device_list list;
    int count = 0;
    if (c->call.count(&count) != 0 || count != 1 || c->call.get(out, 0) != 0)
        return false;
    cuda_cards(c, &list);
    /* A slice is named by its card's UUID or its own, as the driver's age has it. */
    return strncmp(uuid, "MIG-", 4) == 0 || (list.n == 1 && strcmp(list.row[0].uuid, uuid) == 0);
}

/* Whether NVML lists compute processes on it. To be asked before our own context makes us one. */
static bool is_held(const char *uuid)
{
    static struct device_list list;
    struct nvml *n = nvml_open(false);
    bool held = false;
    if (n)
        nvml_cards(n, &list);
    for (size_t i = 0; i < list.n; i++)
        held = held || (strcmp(list.row[i].uuid, uuid) == 0 && list.row[i].vitals.processes > 0);
    nvml_close(n);
    return held;
}

int device_scrub_main(const char *uuid)
{
    struct report r = {0};
    cuda_context context = NULL;
    cuda_device dev;
    enum scrub_end end = SCRUB_FAILED;
    alarm(SCRUB_ALARM_S); /* should the worker die before it ends us */
    if (is_held(uuid))
        return SCRUB_HELD;
    if (setenv("CUDA_VISIBLE_DEVICES", uuid, 1) != 0)
        return SCRUB_FAILED;
    struct cuda *c = cuda_open();
    if (!c)
        return SCRUB_NO_DRIVER;
    if (choose(c, uuid, &dev) && c->call.context_new(&context, 0, dev) == 0) {
        end = work(&c->call, &r);
        (void)c->call.context_free(context);
    }
    printf("{\"uuid\":\"%s\",\"total_mb\":%zu,\"free_mb\":%zu,\"scrubbed_mb\":%zu,"
           "\"windows\":%zu,\"dirty_before\":%zu,\"dirty_after\":%zu,\"end\":%d}\n",
           uuid, r.total >> 20, r.free >> 20, r.scrubbed >> 20, r.windows, r.dirty_before,
           r.dirty_after, (int)end);
    cuda_close(c);
    return end;
}
