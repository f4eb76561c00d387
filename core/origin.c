/* SPDX-License-Identifier: MIT */
#include "core/origin.h"

#include <string.h>

#include "lib/hash.h"

#define VERSION 8

struct uuid origin_chain_id(enum id_kind kind, uint64_t chain_id, struct address at)
{
    uint8_t all[4 + 8 + sizeof(at.b)] = {0};
    struct digest d;
    struct uuid id;

    memcpy(all, id_prefix(kind), 3);
    for (int i = 0; i < 8; i++)
        all[4 + i] = (uint8_t)(chain_id >> (56 - 8 * i));
    memcpy(all + 12, at.b, sizeof(at.b));
    d = sha256(all, sizeof(all));
    memcpy(id.b, d.b, sizeof(id.b));
    id.b[6] = (uint8_t)((id.b[6] & 0x0f) | VERSION << 4);
    id.b[8] = (uint8_t)((id.b[8] & 0x3f) | 0x80);
    return id;
}

bool origin_is_chain(struct uuid id)
{
    return id.b[6] >> 4 == VERSION;
}
