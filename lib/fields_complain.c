/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/fields_value.h"

#define POINTER_MAX 255
#define MESSAGE_MAX 512

/* Escapes of RFC 6901: "~" as "~0", "/" as "~1". Returns the new length; a name that does not fit
 * ends the pointer. */
static size_t add_name(char *out, size_t n, const char *name, size_t len)
{
    if (n < POINTER_MAX)
        out[n++] = '/';
    for (size_t i = 0; i < len && n + 2 <= POINTER_MAX; i++) {
        if (name[i] == '~' || name[i] == '/') {
            out[n++] = '~';
            out[n++] = name[i] == '~' ? '0' : '1';
        } else {
            out[n++] = name[i];
        }
    }
    return n;
}

static size_t add_frame(char *out, const struct value_frame *at)
{
    char index[24];
    size_t n;

    if (!at->up)
        return 0;
    n = add_frame(out, at->up);
    if (at->name)
        return add_name(out, n, at->name, at->n);
    snprintf(index, sizeof(index), "%zu", at->n);
    return add_name(out, n, index, strlen(index));
}

/* A pointer cut in the middle of a character would not be JSON text any more. */
static size_t whole_characters(const char *s, size_t n)
{
    if (n < POINTER_MAX - 1)
        return n; /* nothing was cut */
    while (n > 0 && ((uint8_t)s[n - 1] & 0xc0) == 0x80)
        n--;
    return n > 0 && (uint8_t)s[n - 1] >= 0xc0 ? n - 1 : n;
}

/* Parameters are percent-decoded bytes of any kind, but a pointer must be UTF-8. */
static void only_ascii(char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((uint8_t)s[i] > 126 || (uint8_t)s[i] < 32)
            s[i] = '?';
}

void value_complain(struct value_check *c, const struct value_frame *at, const char *fmt, ...)
{
    char pointer[POINTER_MAX + 1];
    char message[MESSAGE_MAX];
    struct violation *v;
    va_list ap;
    size_t n;

    if (value_full(c))
        return;
    n = add_frame(pointer, at);
    if (c->place != FIELD_BODY)
        only_ascii(pointer, n);
    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    v = &c->bad->list[c->bad->n++];
    v->place = c->place;
    v->pointer = arena_copy(c->arena, pointer, whole_characters(pointer, n));
    v->message = arena_copy(c->arena, message, strlen(message));
}
