/* SPDX-License-Identifier: MIT */
#include "png.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STORED_MAX 65535

static uint32_t crc_table[256];

static void crc_prepare(void)
{
    for (uint32_t n = 0; n < 256; n++) {
        uint32_t c = n;
        for (int k = 0; k < 8; k++)
            c = c & 1 ? 0xedb88320U ^ (c >> 1) : c >> 1;
        crc_table[n] = c;
    }
}

static uint32_t crc_add(uint32_t crc, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        crc = crc_table[(crc ^ p[i]) & 255] ^ (crc >> 8);
    return crc;
}

static void be32(uint8_t *out, uint32_t v)
{
    out[0] = (uint8_t)(v >> 24);
    out[1] = (uint8_t)(v >> 16);
    out[2] = (uint8_t)(v >> 8);
    out[3] = (uint8_t)v;
}

static void chunk(FILE *f, const char *type, const uint8_t *data, size_t n)
{
    uint8_t word[4];
    be32(word, (uint32_t)n);
    fwrite(word, 1, 4, f);
    fwrite(type, 1, 4, f);
    fwrite(data, 1, n, f);
    uint32_t crc = crc_add(0xffffffffU, (const uint8_t *)type, 4);
    be32(word, ~crc_add(crc, data, n));
    fwrite(word, 1, 4, f);
}

/* zlib stream (RFC 1950) of stored blocks (RFC 1951, 3.2.4). @return its length; `out` has room. */
static size_t store(const uint8_t *raw, size_t n, uint8_t *out)
{
    size_t at = 0;
    uint32_t a = 1;
    uint32_t b = 0;
    out[at++] = 0x78;
    out[at++] = 0x01;
    for (size_t done = 0; done < n;) {
        size_t len = n - done < STORED_MAX ? n - done : STORED_MAX;
        out[at++] = done + len == n;
        out[at++] = (uint8_t)(len & 255);
        out[at++] = (uint8_t)(len >> 8);
        out[at++] = (uint8_t)(~len & 255);
        out[at++] = (uint8_t)(~len >> 8 & 255);
        memcpy(out + at, raw + done, len);
        at += len;
        done += len;
    }
    for (size_t i = 0; i < n; i++) {
        a = (a + raw[i]) % 65521;
        b = (b + a) % 65521;
    }
    be32(out + at, b << 16 | a);
    return at + 4;
}

int png_write(const char *path, const uint8_t *pixels, uint32_t width, uint32_t height,
              uint8_t palette[256][3])
{
    static const uint8_t signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    size_t n = ((size_t)width + 1) * height;
    uint8_t *raw = malloc(n);
    uint8_t *packed = malloc(n + 6 + 5 * (n / STORED_MAX + 1));
    FILE *f = fopen(path, "wb");
    int ok = raw && packed && f;
    if (ok) {
        uint8_t head[13] = {0};
        be32(head, width);
        be32(head + 4, height);
        head[8] = 8; /* bits */
        head[9] = 3; /* palette */
        for (uint32_t y = 0; y < height; y++) {
            raw[y * ((size_t)width + 1)] = 0; /* filter: none */
            memcpy(raw + y * ((size_t)width + 1) + 1, pixels + (size_t)y * width, width);
        }
        crc_prepare();
        fwrite(signature, 1, sizeof(signature), f);
        chunk(f, "IHDR", head, sizeof(head));
        chunk(f, "PLTE", palette[0], 768);
        chunk(f, "IDAT", packed, store(raw, n, packed));
        chunk(f, "IEND", head, 0);
        ok = !ferror(f);
    }
    if (f && fclose(f) != 0)
        ok = 0;
    free(raw);
    free(packed);
    return ok;
}
