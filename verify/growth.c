/* SPDX-License-Identifier: MIT */
#include "verify/growth.h"

#include <stdlib.h>
#include <string.h>

#include "eth/entries.h"

/* Ids are dense: the vault counts them from 1, and the contract refuses to list one it has not
 * given. Growing by doubling, one array a counter. */
static enum err_code make_room(struct growth *g, uint32_t id, struct err *err)
{
    size_t n = g->n ? g->n : 1024;

    while (n <= id)
        n *= 2;
    if (n == g->n)
        return E_OK;
    for (int c = 0; c < 2; c++) {
        uint64_t *more = realloc(g->best[c], n * sizeof(*more));

        if (!more)
            return err_set(err, E_RANGE, "no memory for id %u", id);
        memset(more + g->n, 0, (n - g->n) * sizeof(*more));
        g->best[c] = more;
    }
    g->n = n;
    return E_OK;
}

enum err_code growth_add(struct growth *g, struct bytes entries, uint64_t by[2], struct err *err)
{
    uint64_t grown[2] = {0, 0};

    if (entries.n == 0 || entries.n % ENTRY_SIZE != 0)
        return err_set(err, E_RANGE, "%zu bytes are no entries", entries.n);
    for (size_t at = 0; at < entries.n; at += ENTRY_SIZE) {
        struct entry e = entry_decode(entries.p + at);
        uint64_t *best;

        if (e.id == 0)
            continue; /* padding */
        if (make_room(g, e.id, err) != E_OK)
            return E_RANGE;
        best = &g->best[e.spent][e.id];
        if (e.units <= *best)
            continue;
        if (__builtin_add_overflow(grown[e.spent], e.units - *best, &grown[e.spent]))
            return err_set(err, E_RANGE, "the counters' sum does not fit");
        *best = e.units;
    }
    for (int c = 0; c < 2; c++)
        if (__builtin_add_overflow(g->sum[c], grown[c], &g->sum[c]))
            return err_set(err, E_RANGE, "the counters' sum does not fit");
    by[0] = grown[0];
    by[1] = grown[1];
    return E_OK;
}

void growth_done(struct growth *g)
{
    free(g->best[0]);
    free(g->best[1]);
    *g = (struct growth){.n = 0};
}
