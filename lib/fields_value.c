/* SPDX-License-Identifier: MIT */
#include "lib/fields_value.h"

#include <stdio.h>
#include <string.h>

#include "lib/utf8.h"

#define WORDS_MAX 256

static size_t code_points(struct text s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += ((uint8_t)s.s[i] & 0xc0) != 0x80;
    return n;
}

static bool in_bounds(struct value_check *c, const struct shape *s, const struct value_frame *at,
                      size_t n, const char *unit)
{
    if (n < (size_t)s->min) {
        value_complain(c, at, "must have at least %lld %s%s", (long long)s->min, unit,
                       s->min == 1 ? "" : "s");
        return false;
    }
    if (n > (size_t)s->max) {
        value_complain(c, at, "must have at most %lld %s%s", (long long)s->max, unit,
                       s->max == 1 ? "" : "s");
        return false;
    }
    return true;
}

static void check_text(struct value_check *c, const struct shape *s, const struct value_frame *at,
                       struct text v)
{
    if (!in_bounds(c, s, at, code_points(v), "character"))
        return;
    if (s->pattern && !pattern_matches(s->pattern, v))
        value_complain(c, at, "must match %s", s->pattern->text);
    else if (s->line && !utf8_line(v.s, v.n))
        value_complain(c, at, "must be " UTF8_LINE_WHAT);
}

static void complain_of_word(struct value_check *c, const struct shape *s,
                             const struct value_frame *at)
{
    char list[WORDS_MAX] = "";
    size_t n = 0;

    for (size_t i = 0; i < s->n_words && n < sizeof(list); i++)
        n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", i ? ", " : "", s->words[i]);
    value_complain(c, at, s->n_words == 1 ? "must be %s" : "must be one of %s", list);
}

/* Texts of every kind that is written as a string. */
static void take_text(struct value_check *c, const struct shape *s, const struct value_frame *at,
                      struct text v, void *out)
{
    switch (s->kind) {
    case SHAPE_TEXT:
        check_text(c, s, at, v);
        if (out)
            memcpy(out, &v, sizeof(v));
        return;
    case SHAPE_PARSED:
        if (!s->parse(v, c->arena, out ? out : arena_alloc(c->arena, s->size)))
            value_complain(c, at, "must be %s", s->what);
        return;
    case SHAPE_ENUM:
        for (int32_t i = 0; (size_t)i < s->n_words; i++) {
            if (text_is(v, s->words[i])) {
                if (out)
                    memcpy(out, &i, sizeof(i));
                return;
            }
        }
        complain_of_word(c, s, at);
        return;
    case SHAPE_BOOL:
    case SHAPE_INT:
    case SHAPE_ARRAY:
    case SHAPE_OBJECT:
    case SHAPE_MAP:
    case SHAPE_ANY:
        return;
    }
}

static void take_int(struct value_check *c, const struct shape *s, const struct value_frame *at,
                     int64_t v, void *out)
{
    if (v < s->min)
        value_complain(c, at, "must be at least %lld", (long long)s->min);
    else if (v > s->max)
        value_complain(c, at, "must be at most %lld", (long long)s->max);
    else if (out)
        memcpy(out, &v, sizeof(v));
}

/* json_parse() has made an integer of every number that is one, however it was spelled. */
static void take_number(struct value_check *c, const struct shape *s, const struct value_frame *at,
                        const json_t *v, void *out)
{
    if (json_is_integer(v))
        take_int(c, s, at, (int64_t)json_integer_value(v), out);
    else
        value_complain(c, at, "must be an integer");
}

void value_unknown_members(struct value_check *c, const struct fields *f,
                           const struct value_frame *at, const json_t *object)
{
    for (void *i = json_object_iter((json_t *)object); i && !value_full(c);
         i = json_object_iter_next((json_t *)object, i)) {
        const char *name = json_object_iter_key(i);
        size_t k = 0;

        while (k < f->n && strcmp(f->field[k].name, name) != 0)
            k++;
        if (k == f->n) {
            const struct value_frame below = value_below(at, name, strlen(name));

            value_complain(c, &below, "is not a known member");
        }
    }
}

static void check_object(struct value_check *c, const struct shape *s, const struct value_frame *at,
                         const json_t *v)
{
    if (!in_bounds(c, s, at, json_object_size(v), "member"))
        return;
    value_unknown_members(c, s->members, at, v);
    for (size_t i = 0; i < s->members->n && !value_full(c); i++) {
        const struct field *f = &s->members->field[i];
        const struct value_frame below = value_below(at, f->name, strlen(f->name));
        json_t *member = json_object_get(v, f->name);

        if (member)
            value_json(c, f->shape, &below, member, NULL);
        else if (f->required)
            value_complain(c, &below, "is required");
    }
}

static void check_map(struct value_check *c, const struct shape *s, const struct value_frame *at,
                      json_t *v)
{
    if (!in_bounds(c, s, at, json_object_size(v), "member"))
        return;
    for (void *i = json_object_iter(v); i && !value_full(c); i = json_object_iter_next(v, i)) {
        const char *name = json_object_iter_key(i);
        const struct value_frame below = value_below(at, name, strlen(name));
        size_t before = c->bad->n;

        if (s->name)
            check_text(c, s->name, &below, text_of(name));
        if (c->bad->n == before)
            value_json(c, s->item, &below, json_object_iter_value(i), NULL);
    }
}

static void check_twins(struct value_check *c, const struct value_frame *at, const json_t *v)
{
    for (size_t i = 1; i < json_array_size(v) && !value_full(c); i++) {
        const struct value_frame below = {.up = at, .n = i, .depth = at->depth + 1};

        for (size_t k = 0; k < i; k++) {
            if (json_equal(json_array_get(v, i), json_array_get(v, k))) {
                value_complain(c, &below, "is the same as item %zu", k);
                break;
            }
        }
    }
}

static void check_array(struct value_check *c, const struct shape *s, const struct value_frame *at,
                        const json_t *v)
{
    if (!in_bounds(c, s, at, json_array_size(v), "item"))
        return;
    for (size_t i = 0; i < json_array_size(v) && !value_full(c); i++) {
        const struct value_frame below = {.up = at, .n = i, .depth = at->depth + 1};

        value_json(c, s->item, &below, json_array_get(v, i), NULL);
    }
    if (s->unique)
        check_twins(c, at, v);
}

/* Counts what nobody describes; the limits are there for memory and stack, not for meaning. */
static bool check_any(struct value_check *c, const struct value_frame *at, json_t *v)
{
    bool fits = true;
    const char *name;
    json_t *member;

    if (++c->nodes > FIELDS_NODES_MAX) {
        value_complain(c, at, "is one value too many: a request may hold %d", FIELDS_NODES_MAX);
        return false;
    }
    if ((json_is_object(v) || json_is_array(v)) && at->depth > FIELDS_DEPTH_MAX) {
        value_complain(c, at, "is nested deeper than %d", FIELDS_DEPTH_MAX);
        return false;
    }
    if (json_is_object(v)) {
        json_object_foreach(v, name, member)
        {
            const struct value_frame below = value_below(at, name, strlen(name));

            if (fits)
                fits = check_any(c, &below, member);
        }
    }
    for (size_t i = 0; fits && i < json_array_size(v); i++) {
        const struct value_frame below = {.up = at, .n = i, .depth = at->depth + 1};

        fits = check_any(c, &below, json_array_get(v, i));
    }
    return fits;
}

static void take_container(struct value_check *c, const struct shape *s,
                           const struct value_frame *at, json_t *v, void *out)
{
    if (s->kind == SHAPE_ARRAY ? !json_is_array(v) : !json_is_object(v)) {
        value_complain(c, at, "must be an %s", s->kind == SHAPE_ARRAY ? "array" : "object");
        return;
    }
    if (s->kind == SHAPE_ARRAY)
        check_array(c, s, at, v);
    else if (s->kind == SHAPE_OBJECT)
        check_object(c, s, at, v);
    else if (s->kind == SHAPE_MAP)
        check_map(c, s, at, v);
    else if (in_bounds(c, s, at, json_object_size(v), "member"))
        check_any(c, at, v);
    if (out)
        memcpy(out, &v, sizeof(v));
}

void value_json(struct value_check *c, const struct shape *s, const struct value_frame *at,
                json_t *v, void *out)
{
    bool truth = json_is_true(v);

    if (++c->nodes > FIELDS_NODES_MAX || at->depth > FIELDS_DEPTH_MAX) {
        value_complain(c, at, "is too deep or one value too many");
        return;
    }
    switch (s->kind) {
    case SHAPE_BOOL:
        if (!json_is_boolean(v))
            value_complain(c, at, "must be true or false");
        else if (out)
            memcpy(out, &truth, sizeof(truth));
        return;
    case SHAPE_INT:
        take_number(c, s, at, v, out);
        return;
    case SHAPE_TEXT:
    case SHAPE_ENUM:
    case SHAPE_PARSED:
        if (!json_is_string(v))
            value_complain(c, at, "must be a string");
        else
            take_text(c, s, at, (struct text){json_string_value(v), json_string_length(v)}, out);
        return;
    case SHAPE_ARRAY:
    case SHAPE_OBJECT:
    case SHAPE_MAP:
    case SHAPE_ANY:
        take_container(c, s, at, v, out);
        return;
    }
}

/* Digits with an optional minus, no leading zero: one spelling for each number. */
static bool read_int(struct text s, int64_t *out)
{
    size_t i = s.n > 0 && s.s[0] == '-';
    int64_t v = 0;

    if (s.n == i || s.n - i > 18 || (s.s[i] == '0' && s.n > 1))
        return false;
    for (; i < s.n; i++) {
        if (s.s[i] < '0' || s.s[i] > '9')
            return false;
        v = v * 10 + (s.s[i] - '0');
    }
    *out = s.s[0] == '-' ? -v : v;
    return true;
}

void value_text(struct value_check *c, const struct shape *s, const struct value_frame *at,
                struct text v, void *out)
{
    bool truth = text_is(v, "true");
    int64_t number;

    switch (s->kind) {
    case SHAPE_INT:
        if (read_int(v, &number))
            take_int(c, s, at, number, out);
        else
            value_complain(c, at, "must be an integer");
        return;
    case SHAPE_BOOL:
        if (truth || text_is(v, "false"))
            memcpy(out, &truth, sizeof(truth));
        else
            value_complain(c, at, "must be true or false");
        return;
    case SHAPE_TEXT:
    case SHAPE_ENUM:
    case SHAPE_PARSED:
        take_text(c, s, at, v, out);
        return;
    case SHAPE_ARRAY:
    case SHAPE_OBJECT:
    case SHAPE_MAP:
    case SHAPE_ANY:
        value_complain(c, at, "cannot be a parameter"); /* the generator refuses such a contract */
        return;
    }
}
