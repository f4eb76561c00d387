/* SPDX-License-Identifier: MIT */
/*
 * An exec source: {"function":"render","input":{"x","y","zoom","size","iterations"}} on stdin, one
 * JSON object on stdout, the picture as /out/tile.png. The plane from -2-2i to 2+2i is cut into
 * 2^zoom by 2^zoom tiles. Integer arithmetic only, so every provider makes the same bytes and a
 * comparison of digests settles who is right.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "png.h"

#define INPUT_MAX 65536
#define SIZE_MAX_ 1024
#define FRACTION  28 /* fixed point: 28 bits behind the point, |value| stays below 2^6 */

struct request {
    long x;
    long y;
    long zoom;
    long size;
    long iterations;
};

/* The text behind "name": in the object, outside of strings; NULL when it is not there. */
static const char *member(const char *json, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = json; *p; p++) {
        if (*p != '"')
            continue;
        const char *begin = ++p;
        while (*p && *p != '"')
            p += *p == '\\' && p[1] ? 2 : 1;
        if (!*p)
            return NULL;
        const char *after = p + 1 + strspn(p + 1, " \t\r\n");
        if (*after == ':' && (size_t)(p - begin) == n && strncmp(begin, name, n) == 0)
            return after + 1 + strspn(after + 1, " \t\r\n");
    }
    return NULL;
}

static int number(const char *json, const char *name, long fallback, long min, long max, long *out)
{
    const char *text = member(json, name);
    char *end = NULL;
    long v = text ? strtol(text, &end, 10) : fallback;
    if ((text && (end == text || strchr(".eE", *end ? *end : ' '))) || v < min || v > max) {
        fprintf(stderr, "input.%s must be a whole number from %ld to %ld\n", name, min, max);
        return 0;
    }
    *out = v;
    return 1;
}

static int read_request(struct request *r)
{
    static char text[INPUT_MAX];
    size_t n = fread(text, 1, sizeof(text) - 1, stdin);
    text[n] = '\0';
    const char *function = member(text, "function");
    const char *input = member(text, "input");
    if (!function || strncmp(function, "\"render\"", 8) != 0) {
        fprintf(stderr, "the only function is 'render'\n");
        return 0;
    }
    if (!input || *input != '{') {
        fprintf(stderr, "input must be an object\n");
        return 0;
    }
    if (!number(input, "zoom", 0, 0, 20, &r->zoom))
        return 0;
    long last = (1L << r->zoom) - 1;
    return number(input, "x", 0, 0, last, &r->x) && number(input, "y", 0, 0, last, &r->y) &&
           number(input, "size", 256, 16, SIZE_MAX_, &r->size) &&
           number(input, "iterations", 256, 1, 65535, &r->iterations);
}

/* Steps until z leaves the circle of radius 2; `most` when it does not. */
static long escape(int64_t cr, int64_t ci, long most)
{
    int64_t zr = 0;
    int64_t zi = 0;
    const int64_t four = (int64_t)4 << (2 * FRACTION);
    for (long i = 0; i < most; i++) {
        int64_t rr = zr * zr;
        int64_t ii = zi * zi;
        if (rr + ii > four)
            return i;
        zi = zr * zi / ((int64_t)1 << (FRACTION - 1)) + ci;
        zr = (rr - ii) / ((int64_t)1 << FRACTION) + cr;
    }
    return most;
}

static void render(const struct request *r, uint8_t *pixels, long *inside, uint64_t *steps)
{
    /* pixels of the whole plane in one direction: size << zoom, so one of them is 4 / that wide */
    int64_t across = (int64_t)r->size << r->zoom;
    for (long y = 0; y < r->size; y++) {
        for (long x = 0; x < r->size; x++) {
            int64_t px = (int64_t)r->x * r->size + x;
            int64_t py = (int64_t)r->y * r->size + y;
            int64_t cr = (px * 4 - 2 * across) * ((int64_t)1 << FRACTION) / across;
            int64_t ci = (2 * across - py * 4) * ((int64_t)1 << FRACTION) / across;
            long n = escape(cr, ci, r->iterations);
            *steps += (uint64_t)n;
            *inside += n == r->iterations;
            pixels[y * r->size + x] = n == r->iterations ? 0 : (uint8_t)(1 + n % 255);
        }
    }
}

static void paint(uint8_t palette[256][3])
{
    memset(palette[0], 0, 3);
    for (int i = 1; i < 256; i++) {
        palette[i][0] = (uint8_t)(i * 7 & 255);
        palette[i][1] = (uint8_t)(i * 3 & 255);
        palette[i][2] = (uint8_t)(255 - (i * 5 & 255));
    }
}

int main(void)
{
    static uint8_t pixels[SIZE_MAX_ * SIZE_MAX_];
    static uint8_t palette[256][3];
    struct request r;
    long inside = 0;
    uint64_t steps = 0;
    if (!read_request(&r))
        return 2;
    render(&r, pixels, &inside, &steps);
    paint(palette);
    if (!png_write("/out/tile.png", pixels, (uint32_t)r.size, (uint32_t)r.size, palette)) {
        perror("/out/tile.png");
        return 1;
    }
    printf("{\"x\":%ld,\"y\":%ld,\"zoom\":%ld,\"size\":%ld,\"iterations\":%ld,\"inside\":%ld,"
           "\"steps\":%llu,"
           "\"tile\":\"tile.png\"}\n",
           r.x, r.y, r.zoom, r.size, r.iterations, inside, (unsigned long long)steps);
    return fflush(stdout) == 0 ? 0 : 1;
}
