/* SPDX-License-Identifier: MIT */
#include "eth/keccak.h"

#include <nettle/sha3.h>
#include <string.h>

void keccak_begin(struct keccak *k)
{
    memset(k, 0, sizeof(*k));
}

/* XOR one block, as little-endian words, into the state and permute (nettle's public step). */
static void absorb(struct keccak *k, const uint8_t *block)
{
    struct sha3_state s;

    for (size_t i = 0; i < KECCAK_RATE / 8; i++) {
        uint64_t word = 0;

        for (int b = 7; b >= 0; b--)
            word = word << 8 | block[8 * i + (size_t)b];
        k->state[i] ^= word;
    }
    memcpy(s.a, k->state, sizeof(s.a));
    sha3_permute(&s);
    memcpy(k->state, s.a, sizeof(s.a));
}

void keccak_add(struct keccak *k, const void *p, size_t n)
{
    const uint8_t *s = p;

    while (n > 0) {
        size_t step = KECCAK_RATE - k->n;

        if (step > n)
            step = n;
        memcpy(k->block + k->n, s, step);
        k->n += step;
        s += step;
        n -= step;
        if (k->n == KECCAK_RATE) {
            absorb(k, k->block);
            k->n = 0;
        }
    }
}

struct digest keccak_end(struct keccak *k)
{
    struct digest out;

    memset(k->block + k->n, 0, KECCAK_RATE - k->n);
    k->block[k->n] = 0x01; /* the original Keccak padding; SHA-3 has 0x06 here */
    k->block[KECCAK_RATE - 1] |= 0x80;
    absorb(k, k->block);
    for (size_t i = 0; i < sizeof(out.b); i++)
        out.b[i] = (uint8_t)(k->state[i / 8] >> (8 * (i % 8)));
    keccak_begin(k);
    return out;
}

struct digest keccak256(const void *p, size_t n)
{
    struct keccak k;

    keccak_begin(&k);
    keccak_add(&k, p, n);
    return keccak_end(&k);
}
