/* SPDX-License-Identifier: MIT */
#include "handlers/json_out.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "eth/address.h"
#include "lib/clock.h"
#include "lib/hex.h"

#define FIRST_ROOM 2048

struct json_out {
    struct arena *arena;
    char *p;
    size_t n;
    size_t room;
};

struct json_out *json_out_new(struct arena *a)
{
    struct json_out *o = arena_alloc(a, sizeof(*o));

    o->arena = a;
    o->p = arena_alloc(a, FIRST_ROOM);
    o->room = FIRST_ROOM;
    return o;
}

struct arena *json_out_arena(const struct json_out *o)
{
    return o->arena;
}

struct text json_out_text(const struct json_out *o)
{
    return (struct text){o->p, o->n};
}

/* Room for `n` more bytes. What it outgrew stays in the arena: at most as much as it now has. */
static char *more(struct json_out *o, size_t n)
{
    if (o->room - o->n < n) {
        size_t room = 2 * o->room;
        char *p;

        while (room - o->n < n)
            room *= 2;
        p = arena_alloc(o->arena, room);
        memcpy(p, o->p, o->n);
        o->p = p;
        o->room = room;
    }
    return o->p + o->n;
}

static void add(struct json_out *o, const char *s, size_t n)
{
    memcpy(more(o, n), s, n);
    o->n += n;
}

static void lead(struct json_out *o, const char *name)
{
    if (o->n > 0 && o->p[o->n - 1] != '{' && o->p[o->n - 1] != '[')
        add(o, ",", 1);
    if (name) {
        add(o, "\"", 1);
        add(o, name, strlen(name));
        add(o, "\":", 2);
    }
}

/* A string of characters that need no escape. */
static void plain(struct json_out *o, const char *name, const char *s, size_t n)
{
    lead(o, name);
    add(o, "\"", 1);
    add(o, s, n);
    add(o, "\"", 1);
}

void put_open(struct json_out *o, const char *name, char bracket)
{
    lead(o, name);
    add(o, &bracket, 1);
}

void put_close(struct json_out *o, char bracket)
{
    add(o, &bracket, 1);
}

static void add_escaped(struct json_out *o, unsigned char c)
{
    static const char from[] = "\"\\\b\f\n\r\t";
    static const char to[] = "\"\\bfnrt";
    const char *at = memchr(from, c, sizeof(from) - 1);
    char text[8];

    if (at)
        add(o, text, (size_t)snprintf(text, sizeof(text), "\\%c", to[at - from]));
    else
        add(o, text, (size_t)snprintf(text, sizeof(text), "\\u%04x", c));
}

void put_text(struct json_out *o, const char *name, struct text t)
{
    size_t from = 0;

    if (t.s == NULL) {
        put_null(o, name);
        return;
    }
    lead(o, name);
    add(o, "\"", 1);
    for (size_t i = 0; i < t.n; i++) {
        unsigned char c = (unsigned char)t.s[i];

        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        add(o, t.s + from, i - from);
        add_escaped(o, c);
        from = i + 1;
    }
    add(o, t.s + from, t.n - from);
    add(o, "\"", 1);
}

void put_string(struct json_out *o, const char *name, const char *s)
{
    put_text(o, name, text_of(s));
}

void put_raw(struct json_out *o, const char *name, struct text json)
{
    lead(o, name);
    add(o, json.s, json.n);
}

void put_null(struct json_out *o, const char *name)
{
    put_raw(o, name, text_of("null"));
}

void put_bool(struct json_out *o, const char *name, bool v)
{
    put_raw(o, name, text_of(v ? "true" : "false"));
}

void put_int(struct json_out *o, const char *name, int64_t v)
{
    char text[24];

    lead(o, name);
    add(o, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, v));
}

void put_count(struct json_out *o, const char *name, bool has, int64_t v)
{
    if (has)
        put_int(o, name, v);
    else
        put_null(o, name);
}

void put_decimal(struct json_out *o, const char *name, int64_t v)
{
    char text[24];

    plain(o, name, text, (size_t)snprintf(text, sizeof(text), "%" PRId64, v));
}

void put_id(struct json_out *o, const char *name, enum id_kind kind, struct uuid id)
{
    if (uuid_is_zero(id))
        put_null(o, name);
    else
        put_path(o, name, "", kind, id, "");
}

void put_time(struct json_out *o, const char *name, int64_t us)
{
    char text[RFC3339_MAX];

    if (us == 0) {
        put_null(o, name);
        return;
    }
    rfc3339_format(us, text);
    plain(o, name, text, strlen(text));
}

void put_hex(struct json_out *o, const char *name, const char *prefix, struct bytes b)
{
    if (b.p == NULL) {
        put_null(o, name);
        return;
    }
    lead(o, name);
    add(o, "\"", 1);
    add(o, prefix, strlen(prefix));
    hex_encode(b.p, b.n, more(o, 2 * b.n + 1));
    o->n += 2 * b.n;
    add(o, "\"", 1);
}

void put_wei(struct json_out *o, const char *name, struct wei w)
{
    char text[WEI_TEXT_MAX];

    wei_format(w, text);
    plain(o, name, text, strlen(text));
}

void put_address(struct json_out *o, const char *name, struct bytes b)
{
    struct address a;
    char text[ADDRESS_TEXT_MAX];

    if (b.n != sizeof(a.b)) {
        put_null(o, name);
        return;
    }
    memcpy(a.b, b.p, sizeof(a.b));
    address_format(a, text);
    plain(o, name, text, strlen(text));
}

void put_path(struct json_out *o, const char *name, const char *before, enum id_kind kind,
              struct uuid id, const char *after)
{
    char text[ID_TEXT_MAX];

    id_format(kind, id, text);
    lead(o, name);
    add(o, "\"", 1);
    add(o, before, strlen(before));
    add(o, text, strlen(text));
    add(o, after, strlen(after));
    add(o, "\"", 1);
}
