/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/manifest.h"
#include "workers/agent/offer.h"
#include "workers/checkup.h"
#include "workers/contain/rootless.h"
#include "workers/device/lock.h"
#include "workers/kernels/kernels.h"

static void check_devices(const struct options *o, struct device_list *list,
                          struct preflight_row *r)
{
    struct device_finder f = {.simulate = o->simulate_gpu, .sys_root = o->sys_root};
    struct err err = {0};
    size_t cards = 0;
    *r = (struct preflight_row){
        .what = "devices",
        .fix = "correct OGPU_SIMULATE_GPU (--simulate-gpu), or leave it out: it stands for the "
               "cards of machines that have none"};
    device_finder_open(&f);
    r->ok = device_finder_scan(&f, list, &err) == E_OK;
    device_finder_close(&f);
    for (size_t i = 0; i < list->n; i++)
        cards += device_is_card(&list->row[i]);
    if (!r->ok)
        snprintf(r->detail, sizeof(r->detail), "%.150s", err.text);
    else if (cards == 0)
        snprintf(r->detail, sizeof(r->detail), "the CPU; no card with a driver was found");
    else
        snprintf(r->detail, sizeof(r->detail), "the CPU, %zu card%s", cards, cards > 1 ? "s" : "");
}

static void check_card(const struct options *o, const struct device *d, struct preflight_row *r)
{
    struct edits_config where = offer_edits(o);
    struct err err = {0};
    json_t *edits = NULL;
    *r = (struct preflight_row){.what = "card"};
    if (!offer_cards(o, rootless_needed())) {
        r->ok = r->skipped = true;
        snprintf(r->detail, sizeof(r->detail),
                 "%.45s is not offered: without root, and under gVisor, containers get none",
                 d->uuid);
        return;
    }
    r->ok = device_edits(&where, d, &edits, &err) == E_OK;
    json_decref(edits);
    if (r->ok) {
        snprintf(r->detail, sizeof(r->detail), "%.45s can be given to containers", d->uuid);
        return;
    }
    snprintf(r->detail, sizeof(r->detail), "%.64s: %.180s", d->uuid, err.text);
    r->fix = edits_fix(&where, d);
}

static void check_locks(const struct options *o, struct preflight_row *r)
{
    *r = (struct preflight_row){
        .what = "card locks",
        .fix = "set OGPU_DEVICE_LOCKS to a folder that can be written, the same for all workers of "
               "this machine (the unit's RuntimeDirectory= makes the default one)"};
    r->ok = lock_folder(o->device_locks);
    snprintf(r->detail, sizeof(r->detail), "%.100s%s%s", o->device_locks, r->ok ? "" : ": ",
             r->ok ? "" : strerror(errno));
}

static void check_kernels(const struct options *o, bool real, struct preflight_row *r)
{
    struct err err = {0};
    const struct kernels *k;
    *r = (struct preflight_row){
        .what = "kernels",
        .ok = true,
        .skipped = !real && !o->kernels[0],
        .fix = "make kernels (nvcc 11.8 or later), then put build/bin/ogpu-cuda.so beside "
               "ogpu-worker or name it in OGPU_KERNELS: without it a card cannot prove itself"};
    if (r->skipped) {
        snprintf(r->detail, sizeof(r->detail), "simulated cards use their plain twin");
        return;
    }
    r->ok = kernels_cuda(o->kernels, &k, &err) == E_OK;
    snprintf(r->detail, sizeof(r->detail), "%.150s", r->ok ? "found" : err.text);
}

size_t checkup_cards(const struct options *o, struct preflight_row *rows)
{
    static struct device_list list;
    bool offered = offer_cards(o, rootless_needed());
    bool real = false;
    bool nvidia = false;
    size_t n = 0;
    check_devices(o, &list, &rows[n++]);
    for (size_t i = 0; rows[0].ok && i < list.n; i++) {
        const struct device *d = &list.row[i];
        if (!device_is_card(d))
            continue;
        nvidia = nvidia || d->environment == ENV_NVIDIA;
        real = real || (d->environment == ENV_NVIDIA && !d->simulated);
        check_card(o, d, &rows[n++]);
    }
    if (n > 1 && offered)
        check_locks(o, &rows[n++]);
    if (nvidia && offered)
        check_kernels(o, real, &rows[n++]);
    return n;
}
