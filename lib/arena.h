/* SPDX-License-Identifier: MIT */
#ifndef LIB_ARENA_H
#define LIB_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "lib/bytes.h"

/** Memory that is freed at once: one per request, one per job. Not thread-safe. */
struct arena;

/** A new arena. Aborts when memory is gone: nothing useful can be answered then. */
struct arena *arena_new(void);

/** Free the arena and all it gave out; NULL allowed. */
void arena_free(struct arena *a);

/** Forget all it gave out, keep the first block for reuse. */
void arena_reset(struct arena *a);

/** `n` zeroed bytes, aligned for any type; never NULL. */
void *arena_alloc(struct arena *a, size_t n);

/** A NUL-terminated copy of `n` characters. */
char *arena_copy(struct arena *a, const char *s, size_t n);

/** A copy of text, NUL-terminated behind its end; "no value" stays "no value". */
struct text arena_text(struct arena *a, struct text t);

/** A copy of bytes; "no value" stays "no value". */
struct bytes arena_bytes(struct arena *a, struct bytes b);

/** printf into the arena. */
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
