/* SPDX-License-Identifier: MIT */
#include "eth/entries.h"

#include "eth/keccak.h"
#include "eth/merkle.h"

enum err_code entry_encode(struct entry e, struct buf *out, struct err *err)
{
    uint8_t b[ENTRY_SIZE];
    uint32_t id;

    if (e.id == 0 || e.id > ENTRY_ID_MAX)
        return err_set(err, E_RANGE, "id %u is not 1 to 2^31 - 1", (unsigned)e.id);
    if (e.units > ENTRY_UNITS_MAX)
        return err_set(err, E_RANGE, "more than 2^48 - 1 units");
    id = e.id | (e.spent ? ENTRY_ID_MAX + 1 : 0);
    for (int i = 0; i < 4; i++)
        b[i] = (uint8_t)(id >> (24 - 8 * i));
    for (int i = 0; i < 6; i++)
        b[4 + i] = (uint8_t)(e.units >> (40 - 8 * i));
    return buf_add(out, b, sizeof(b), err);
}

struct entry entry_decode(const uint8_t *p)
{
    struct entry e = {.id = 0};

    for (int i = 0; i < 4; i++)
        e.id = e.id << 8 | p[i];
    for (int i = 4; i < ENTRY_SIZE; i++)
        e.units = e.units << 8 | p[i];
    e.spent = e.id > ENTRY_ID_MAX;
    e.id &= ENTRY_ID_MAX;
    return e;
}

size_t entries_chunks(size_t len)
{
    return len / CHUNK_SIZE + (len % CHUNK_SIZE != 0);
}

void entries_chunk(struct bytes entries, size_t i, uint8_t out[CHUNK_SIZE])
{
    size_t start = i * CHUNK_SIZE;
    size_t n = entries.n - start < CHUNK_SIZE ? entries.n - start : CHUNK_SIZE;

    memset(out, 0, CHUNK_SIZE);
    memcpy(out, entries.p + start, n);
}

enum err_code entries_leaves(struct bytes entries, struct arena *a, struct digest **leaves,
                             size_t *n, struct err *err)
{
    size_t count = entries_chunks(entries.n);
    struct digest *out;

    if (entries.n == 0 || entries.n % ENTRY_SIZE != 0)
        return err_set(err, E_RANGE, "%zu bytes are not whole entries", entries.n);
    out = arena_alloc(a, count * sizeof(*out));
    for (size_t i = 0; i < count; i++) {
        uint8_t chunk[CHUNK_SIZE];

        entries_chunk(entries, i, chunk);
        out[i] = keccak256(chunk, sizeof(chunk));
    }
    *leaves = out;
    *n = count;
    return E_OK;
}

enum err_code entries_root(struct bytes entries, struct digest *out, struct err *err)
{
    struct arena *a = arena_new();
    struct digest *leaves = NULL;
    size_t n = 0;
    enum err_code rc = entries_leaves(entries, a, &leaves, &n, err);

    if (rc == E_OK)
        rc = merkle_root(leaves, n, out, err);
    arena_free(a);
    return rc;
}

enum err_code entries_find(struct bytes entries, uint32_t id, bool spent, struct entry_place *out,
                           struct err *err)
{
    for (size_t i = 0; i < entries.n / ENTRY_SIZE; i++) {
        struct entry e = entry_decode(entries.p + i * ENTRY_SIZE);

        if (e.id != id || e.spent != spent)
            continue;
        *out = (struct entry_place){i, i / ENTRIES_A_CHUNK, (uint8_t)(i % ENTRIES_A_CHUNK), e};
        return E_OK;
    }
    return err_set(err, E_PROOF_NOT_FOUND, "id %u is not in this batch", (unsigned)id);
}
