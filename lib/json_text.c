/* SPDX-License-Identifier: MIT */
/* Compact JSON text. jansson's own dump calls back for every token and decodes every character,
 * which was a sixth of the HTTP thread's time; strings in a json_t are valid UTF-8 already. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json.h"

/* Room for most texts at the first try: a task is about 1.1 KiB. */
#define TEXT_FIRST  ((size_t)2048)
#define INTEGER_MAX 24
#define REAL_MAX    64

/* Text that grows in an arena; there is always room for one NUL more. */
struct out {
    struct arena *arena;
    char *s;
    size_t n;
    size_t room;
};

static void put_value(struct out *o, const json_t *v);

static void reserve(struct out *o, size_t more)
{
    char *grown;

    if (o->room - o->n > more)
        return;
    o->room = 2 * o->room + more + TEXT_FIRST;
    grown = arena_alloc(o->arena, o->room);
    if (o->n > 0)
        memcpy(grown, o->s, o->n);
    o->s = grown;
}

static void put(struct out *o, const char *s, size_t n)
{
    reserve(o, n);
    memcpy(o->s + o->n, s, n);
    o->n += n;
}

static void put_char(struct out *o, char c)
{
    reserve(o, 1);
    o->s[o->n++] = c;
}

static void put_escape(struct out *o, unsigned char c)
{
    static const char short_names[] = "btn?fr"; /* of 0x08 to 0x0d */
    char text[8];

    if (c == '"' || c == '\\')
        snprintf(text, sizeof(text), "\\%c", c);
    else if (c >= 0x08 && c <= 0x0d && c != 0x0b)
        snprintf(text, sizeof(text), "\\%c", short_names[c - 0x08]);
    else
        snprintf(text, sizeof(text), "\\u%04x", c);
    put(o, text, strlen(text));
}

static void put_string(struct out *o, const char *s, size_t n)
{
    size_t start = 0;

    put_char(o, '"');
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        put(o, s + start, i - start);
        put_escape(o, c);
        start = i + 1;
    }
    put(o, s + start, n - start);
    put_char(o, '"');
}

static void put_integer(struct out *o, json_int_t v)
{
    char text[INTEGER_MAX];
    int n = snprintf(text, sizeof(text), "%lld", (long long)v);

    put(o, text, (size_t)n);
}

/* jansson knows how to keep a real a real (1.0 stays 1.0). */
static void put_real(struct out *o, const json_t *v)
{
    char text[REAL_MAX];
    size_t n = json_dumpb(v, text, sizeof(text), JSON_ENCODE_ANY);

    if (n == 0 || n > sizeof(text))
        abort(); /* %.17g is far shorter, and a json_t holds no NaN */
    put(o, text, n);
}

static void put_object(struct out *o, const json_t *v)
{
    /* jansson's iterator takes a writable object though it only reads. */
    json_t *object = (json_t *)(uintptr_t)v;
    bool first = true;

    put_char(o, '{');
    for (void *it = json_object_iter(object); it; it = json_object_iter_next(object, it)) {
        if (!first)
            put_char(o, ',');
        first = false;
        put_string(o, json_object_iter_key(it), json_object_iter_key_len(it));
        put_char(o, ':');
        put_value(o, json_object_iter_value(it));
    }
    put_char(o, '}');
}

static void put_array(struct out *o, const json_t *v)
{
    put_char(o, '[');
    for (size_t i = 0; i < json_array_size(v); i++) {
        if (i > 0)
            put_char(o, ',');
        put_value(o, json_array_get(v, i));
    }
    put_char(o, ']');
}

static void put_value(struct out *o, const json_t *v)
{
    switch (json_typeof(v)) {
    case JSON_OBJECT:
        put_object(o, v);
        break;
    case JSON_ARRAY:
        put_array(o, v);
        break;
    case JSON_STRING:
        put_string(o, json_string_value(v), json_string_length(v));
        break;
    case JSON_INTEGER:
        put_integer(o, json_integer_value(v));
        break;
    case JSON_REAL:
        put_real(o, v);
        break;
    case JSON_TRUE:
        put(o, "true", 4);
        break;
    case JSON_FALSE:
        put(o, "false", 5);
        break;
    case JSON_NULL:
        put(o, "null", 4);
        break;
    }
}

struct text json_text(const json_t *v, struct arena *a)
{
    struct out o = {.arena = a, .s = arena_alloc(a, TEXT_FIRST), .room = TEXT_FIRST};

    if (!v)
        abort(); /* a value that we built wrongly ourselves */
    put_value(&o, v);
    o.s[o.n] = '\0';
    return (struct text){o.s, o.n};
}
