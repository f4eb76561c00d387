/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_KERNELS_PORTABLE_H
#define WORKERS_KERNELS_PORTABLE_H

#include <stdint.h>

/*
 * ChaCha20 and SHA-256 in words: one text for the C twin and for CUDA. The tests hold it against
 * OpenSSL through what the gateway computes (core/gpu_proof.h).
 */
#ifdef __CUDACC__
#define KERNEL_FN __host__ __device__ static inline
/* A run-time index would put the words into slow local memory. */
#define KERNEL_UNROLL _Pragma("unroll")
#else
#define KERNEL_FN static inline
#define KERNEL_UNROLL
#endif

KERNEL_FN uint32_t rotate_left(uint32_t x, uint32_t n)
{
    return x << n | x >> (32 - n);
}

KERNEL_FN uint32_t rotate_right(uint32_t x, uint32_t n)
{
    return x >> n | x << (32 - n);
}

KERNEL_FN uint32_t swap_bytes(uint32_t x)
{
    return x >> 24 | (x >> 8 & 0xff00u) | (x << 8 & 0xff0000u) | x << 24;
}

KERNEL_FN void chacha_quarter(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d)
{
    *a += *b;
    *d = rotate_left(*d ^ *a, 16);
    *c += *d;
    *b = rotate_left(*b ^ *c, 12);
    *a += *b;
    *d = rotate_left(*d ^ *a, 8);
    *c += *d;
    *b = rotate_left(*b ^ *c, 7);
}

/**
 * One block of the key stream (RFC 8439).
 *
 * @key    eight little-endian words; @nonce three
 * @out    sixteen words: 64 bytes of the stream on a little-endian machine
 */
KERNEL_FN void chacha_block(const uint32_t key[8], const uint32_t nonce[3], uint32_t counter,
                            uint32_t out[16])
{
    uint32_t s[16];
    uint32_t x[16];

    s[0] = 0x61707865;
    s[1] = 0x3320646e;
    s[2] = 0x79622d32;
    s[3] = 0x6b206574;
    for (int i = 0; i < 8; i++)
        s[4 + i] = key[i];
    s[12] = counter;
    for (int i = 0; i < 3; i++)
        s[13 + i] = nonce[i];
    for (int i = 0; i < 16; i++)
        x[i] = s[i];
    for (int round = 0; round < 10; round++) {
        chacha_quarter(&x[0], &x[4], &x[8], &x[12]);
        chacha_quarter(&x[1], &x[5], &x[9], &x[13]);
        chacha_quarter(&x[2], &x[6], &x[10], &x[14]);
        chacha_quarter(&x[3], &x[7], &x[11], &x[15]);
        chacha_quarter(&x[0], &x[5], &x[10], &x[15]);
        chacha_quarter(&x[1], &x[6], &x[11], &x[12]);
        chacha_quarter(&x[2], &x[7], &x[8], &x[13]);
        chacha_quarter(&x[3], &x[4], &x[9], &x[14]);
    }
    for (int i = 0; i < 16; i++)
        out[i] = x[i] + s[i];
}

/** The initial state (FIPS 180-4, 5.3.3). */
KERNEL_FN void sha256_start(uint32_t h[8])
{
    h[0] = 0x6a09e667;
    h[1] = 0xbb67ae85;
    h[2] = 0x3c6ef372;
    h[3] = 0xa54ff53a;
    h[4] = 0x510e527f;
    h[5] = 0x9b05688c;
    h[6] = 0x1f83d9ab;
    h[7] = 0x5be0cd19;
}

/** One compression; `w` holds the block's words (big-endian order) and is used up. @k the table */
KERNEL_FN void sha256_block(uint32_t h[8], uint32_t w[16], const uint32_t k[64])
{
    uint32_t v[8];

    for (int i = 0; i < 8; i++)
        v[i] = h[i];
    KERNEL_UNROLL
    for (int i = 0; i < 64; i++) {
        uint32_t s1;
        uint32_t s0;
        uint32_t t1;
        uint32_t t2;

        if (i >= 16) {
            const uint32_t w15 = w[(i + 1) & 15];
            const uint32_t w2 = w[(i + 14) & 15];

            s0 = rotate_right(w15, 7) ^ rotate_right(w15, 18) ^ w15 >> 3;
            s1 = rotate_right(w2, 17) ^ rotate_right(w2, 19) ^ w2 >> 10;
            w[i & 15] += s0 + w[(i + 9) & 15] + s1;
        }
        s1 = rotate_right(v[4], 6) ^ rotate_right(v[4], 11) ^ rotate_right(v[4], 25);
        t1 = v[7] + s1 + ((v[4] & v[5]) ^ (~v[4] & v[6])) + k[i] + w[i & 15];
        s0 = rotate_right(v[0], 2) ^ rotate_right(v[0], 13) ^ rotate_right(v[0], 22);
        t2 = s0 + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        v[7] = v[6];
        v[6] = v[5];
        v[5] = v[4];
        v[4] = v[3] + t1;
        v[3] = v[2];
        v[2] = v[1];
        v[1] = v[0];
        v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++)
        h[i] += v[i];
}

/**
 * Word `i` of the padded message "row\0" || row || values (core/row_tree.h), as SHA-256 reads it.
 *
 * @n  values
 */
KERNEL_FN uint32_t row_message_word(uint32_t row, const int32_t *values, uint32_t n, uint32_t i,
                                    uint32_t words)
{
    if (i == 0)
        return 0x726f7700; /* "row\0" */
    if (i == 1)
        return swap_bytes(row);
    if (i < n + 2)
        return swap_bytes((uint32_t)values[i - 2]);
    if (i == n + 2)
        return 0x80000000u;
    return i == words - 1 ? (n + 2) * 32 : 0; /* n stays far below 2^27: the high word is 0 */
}

/** A row's leaf, 32 bytes as eight little-endian words. */
KERNEL_FN void row_leaf(uint32_t row, const int32_t *values, uint32_t n, const uint32_t k[64],
                        uint32_t out[8])
{
    const uint32_t words = (n + 2 + 1 + 2 + 15) / 16 * 16;
    uint32_t h[8];
    uint32_t w[16];

    sha256_start(h);
    for (uint32_t at = 0; at < words; at += 16) {
        KERNEL_UNROLL
        for (uint32_t i = 0; i < 16; i++)
            w[i] = row_message_word(row, values, n, at + i, words);
        sha256_block(h, w, k);
    }
    for (int i = 0; i < 8; i++)
        out[i] = swap_bytes(h[i]);
}

/* FIPS 180-4, 4.2.2; a macro because C and CUDA keep the table in different memories. */
#define SHA256_TABLE                                                                            \
    {                                                                                           \
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,     \
            0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, \
            0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, \
            0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, \
            0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, \
            0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, \
            0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, \
            0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, \
            0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, \
            0xc67178f2                                                                          \
    }

#endif
