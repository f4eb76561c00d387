/* SPDX-License-Identifier: MIT */
#include "lib/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BLOCK  ((size_t)8192)
#define LARGEST_STEP ((size_t)1 << 20)

struct block {
    struct block *next; /* older block */
    size_t room;
    size_t used;
    alignas(max_align_t) unsigned char bytes[];
};

struct arena {
    struct block *top;
};

static struct block *block_new(size_t room, struct block *next)
{
    struct block *b = NULL;

    if (room <= SIZE_MAX - sizeof(*b))
        b = malloc(sizeof(*b) + room);
    if (!b)
        abort();
    b->next = next;
    b->room = room;
    b->used = 0;
    return b;
}

struct arena *arena_new(void)
{
    struct arena *a = malloc(sizeof(*a));

    if (!a)
        abort();
    a->top = block_new(FIRST_BLOCK, NULL);
    return a;
}

/* Free every block but the oldest. */
static void shrink(struct arena *a)
{
    while (a->top->next) {
        struct block *old = a->top->next;

        free(a->top);
        a->top = old;
    }
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    shrink(a);
    free(a->top);
    free(a);
}

void arena_reset(struct arena *a)
{
    shrink(a);
    a->top->used = 0;
}

void *arena_alloc(struct arena *a, size_t n)
{
    const size_t align = alignof(max_align_t);
    struct block *b = a->top;
    void *out;

    if (n > SIZE_MAX - align)
        abort();
    n = (n + align - 1) / align * align;
    if (n > b->room - b->used) {
        size_t room = b->room * 2;

        if (room > LARGEST_STEP)
            room = LARGEST_STEP;
        b = block_new(n > room ? n : room, b);
        a->top = b;
    }
    out = b->bytes + b->used;
    b->used += n;
    memset(out, 0, n);
    return out;
}

char *arena_copy(struct arena *a, const char *s, size_t n)
{
    char *out;

    if (n == SIZE_MAX)
        abort();
    out = arena_alloc(a, n + 1);
    if (n > 0)
        memcpy(out, s, n);
    return out;
}

struct text arena_text(struct arena *a, struct text t)
{
    if (!t.s)
        return t;
    return (struct text){arena_copy(a, t.s, t.n), t.n};
}

struct bytes arena_bytes(struct arena *a, struct bytes b)
{
    if (!b.p)
        return b;
    return (struct bytes){(const uint8_t *)arena_copy(a, (const char *)b.p, b.n), b.n};
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args;
    char *out;
    int n;

    va_start(args, fmt);
    n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0)
        abort();
    out = arena_alloc(a, (size_t)n + 1);
    va_start(args, fmt);
    vsnprintf(out, (size_t)n + 1, fmt, args);
    va_end(args);
    return out;
}
