/* SPDX-License-Identifier: MIT */
#include "core/settle.h"

#include <stdlib.h>

struct counter {
    struct entry entry;
    uint64_t growth;
};

static int by_id(const void *left, const void *right)
{
    const struct counter *a = left;
    const struct counter *b = right;

    if (a->entry.id != b->entry.id)
        return a->entry.id < b->entry.id ? -1 : 1;
    return (int)a->entry.spent - (int)b->entry.spent;
}

static enum err_code counter_of(const struct settle_item *item, struct counter *out,
                                struct err *err)
{
    uint64_t before;
    uint64_t now;
    enum err_code rc;

    if (wei_cmp(item->now, item->before) < 0)
        return err_set(err, E_INTERNAL, "a counter of id %u falls", (unsigned)item->id);
    rc = wei_to_units(item->before, &before, err);
    if (rc == E_OK)
        rc = wei_to_units(item->now, &now, err);
    if (rc != E_OK)
        return rc;
    out->entry = (struct entry){item->id, item->spent, now};
    out->growth = now - before;
    return E_OK;
}

static enum err_code put_all(const struct counter *c, size_t n, struct buf *bytes,
                             struct settle_batch *batch, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        enum err_code rc = E_OK;

        if (i > 0 && by_id(&c[i - 1], &c[i]) == 0)
            return err_set(err, E_INTERNAL, "id %u is listed twice", (unsigned)c[i].entry.id);
        if (c[i].growth == 0)
            continue;
        rc = entry_encode(c[i].entry, bytes, err);
        if (rc != E_OK)
            return rc;
        batch->n++;
        if (!c[i].entry.spent &&
            __builtin_add_overflow(batch->increase, c[i].growth, &batch->increase))
            return err_set(err, E_RANGE, "the increase is beyond 64 bits");
    }
    return E_OK;
}

enum err_code settle_build(const struct settle_item *items, size_t n, struct arena *a,
                           struct settle_batch *out, struct err *err)
{
    struct counter *counters = arena_alloc(a, (n + 1) * sizeof(*counters));
    struct settle_batch batch = {.n = 0};
    struct buf bytes = {.cap = 0};
    enum err_code rc = E_OK;

    for (size_t i = 0; i < n && rc == E_OK; i++)
        rc = counter_of(&items[i], &counters[i], err);
    if (rc == E_OK) {
        qsort(counters, n, sizeof(*counters), by_id);
        rc = put_all(counters, n, &bytes, &batch, err);
    }
    if (rc == E_OK && batch.n > 0) {
        batch.entries = arena_bytes(a, bytes_of(bytes.p, bytes.n));
        rc = entries_root(batch.entries, &batch.root, err);
    }
    buf_done(&bytes);
    if (rc == E_OK)
        *out = batch;
    return rc;
}

enum err_code settle_find(struct bytes entries, uint32_t id, bool spent, struct settle_place *out,
                          struct err *err)
{
    for (size_t i = 0; i < entries.n / ENTRY_SIZE; i++) {
        struct entry e = entry_decode(entries.p + i * ENTRY_SIZE);

        if (e.id != id || e.spent != spent)
            continue;
        *out = (struct settle_place){i, i / ENTRIES_A_CHUNK, (uint8_t)(i % ENTRIES_A_CHUNK), e};
        return E_OK;
    }
    return err_set(err, E_PROOF_NOT_FOUND, "id %u is not in this batch", (unsigned)id);
}
