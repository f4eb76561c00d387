/* SPDX-License-Identifier: MIT */
#ifndef LIB_FIELDS_VALUE_H
#define LIB_FIELDS_VALUE_H

#include "lib/fields.h"

/* One value against its shape. For lib/fields.c only. */

/** One run over a request. */
struct value_check {
    enum field_place place;
    struct arena *arena;
    struct violations *bad;
    size_t nodes; /**< JSON values seen so far */
};

/** Where in the document we are: a stack of names and indexes, so that pointers are built only for
 * complaints. */
struct value_frame {
    const struct value_frame *up;
    const char *name; /**< NULL: an array item */
    size_t n;         /**< bytes of name, or the item's index */
    int depth;        /**< 1 for the body itself */
};

/** The frame of a member. */
static inline struct value_frame value_below(const struct value_frame *up, const char *name,
                                             size_t n)
{
    return (struct value_frame){.up = up, .name = name, .n = n, .depth = up->depth + 1};
}

/** Whether no more violations can be noted. */
static inline bool value_full(const struct value_check *c)
{
    return c->bad->n == VIOLATIONS_MAX;
}

/** Note a violation at `at`; dropped when the list is full. */
void value_complain(struct value_check *c, const struct value_frame *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/** Complain of every member of `object` that `f` does not have. */
void value_unknown_members(struct value_check *c, const struct fields *f,
                           const struct value_frame *at, const json_t *object);

/** Check a JSON value; `out` is its C member or NULL. Complains of what does not fit. */
void value_json(struct value_check *c, const struct shape *s, const struct value_frame *at,
                json_t *v, void *out);

/** Check a parameter's text; `out` is its C member. */
void value_text(struct value_check *c, const struct shape *s, const struct value_frame *at,
                struct text v, void *out);

#endif
