/* SPDX-License-Identifier: MIT */
#include "lib/fields.h"

#include <string.h>

#include "lib/fields_value.h"

static void put_fallback(const struct field *f, uint8_t *base)
{
    int32_t word;
    bool truth;

    switch (f->shape->kind) {
    case SHAPE_INT:
        memcpy(base + f->offset, &f->fallback, sizeof(f->fallback));
        break;
    case SHAPE_ENUM:
        word = (int32_t)f->fallback;
        memcpy(base + f->offset, &word, sizeof(word));
        break;
    case SHAPE_BOOL:
        truth = f->fallback != 0;
        memcpy(base + f->offset, &truth, sizeof(truth));
        break;
    case SHAPE_TEXT:
    case SHAPE_PARSED:
    case SHAPE_ARRAY:
    case SHAPE_OBJECT:
    case SHAPE_MAP:
    case SHAPE_ANY:
        break; /* the generator allows no default for these */
    }
}

static size_t member_size(const struct shape *s)
{
    switch (s->kind) {
    case SHAPE_BOOL:
        return sizeof(bool);
    case SHAPE_INT:
        return sizeof(int64_t);
    case SHAPE_TEXT:
        return sizeof(struct text);
    case SHAPE_ENUM:
        return sizeof(int32_t);
    case SHAPE_PARSED:
        return s->size;
    case SHAPE_ARRAY:
    case SHAPE_OBJECT:
    case SHAPE_MAP:
    case SHAPE_ANY:
        return sizeof(json_t *);
    }
    return 0;
}

/* Absent members must read as zero or their default, whatever the caller's struct held. */
static void put_absent(const struct fields *f, uint8_t *base)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct field *x = &f->field[i];

        memset(base + x->offset, 0, member_size(x->shape));
        if (x->has != FIELD_NONE)
            memset(base + x->has, 0, sizeof(bool));
        if (x->has_fallback)
            put_fallback(x, base);
    }
}

static void put_present(const struct field *f, uint8_t *base)
{
    const bool yes = true;

    if (f->has != FIELD_NONE)
        memcpy(base + f->has, &yes, sizeof(yes));
}

static enum err_code verdict(const struct violations *bad, size_t before, struct err *err)
{
    if (bad->n == before)
        return E_OK;
    return err_set(err, E_VALIDATION, "%zu values do not fit the schema", bad->n - before);
}

enum err_code fields_json(const struct fields *f, json_t *body, struct arena *a, void *out,
                          struct violations *bad, struct err *err)
{
    struct value_check c = {.place = FIELD_BODY, .arena = a, .bad = bad};
    const struct value_frame root = {.depth = 1};
    size_t before = bad->n;
    uint8_t *base = out;

    put_absent(f, base);
    if (!json_is_object(body)) {
        value_complain(&c, &root, "must be an object");
        return verdict(bad, before, err);
    }
    value_unknown_members(&c, f, &root, body);
    for (size_t i = 0; i < f->n && !value_full(&c); i++) {
        const struct field *x = &f->field[i];
        const struct value_frame at = value_below(&root, x->name, strlen(x->name));
        json_t *v = json_object_get(body, x->name);

        if (v) {
            value_json(&c, x->shape, &at, v, base + x->offset);
            put_present(x, base);
        } else if (x->required) {
            value_complain(&c, &at, "is required");
        }
    }
    return verdict(bad, before, err);
}

static const struct field *find(const struct fields *f, struct text name)
{
    for (size_t i = 0; i < f->n; i++)
        if (text_is(name, f->field[i].name))
            return &f->field[i];
    return NULL;
}

static bool given_before(const struct field_pair *pairs, size_t n, struct text name)
{
    for (size_t i = 0; i < n; i++)
        if (text_eq(pairs[i].name, name))
            return true;
    return false;
}

enum err_code fields_pairs(const struct fields *f, const struct field_pairs *sent, struct arena *a,
                           void *out, struct violations *bad, struct err *err)
{
    struct value_check c = {.place = sent->place, .arena = a, .bad = bad};
    const struct value_frame root = {.depth = 1};
    size_t before = bad->n;
    uint8_t *base = out;

    put_absent(f, base);
    for (size_t i = 0; i < sent->n && !value_full(&c); i++) {
        const struct field_pair *p = &sent->pair[i];
        const struct value_frame at = value_below(&root, p->name.s, p->name.n);
        const struct field *x = find(f, p->name);

        if (!x)
            value_complain(&c, &at, "is not a known parameter");
        else if (given_before(sent->pair, i, p->name))
            value_complain(&c, &at, "is given twice");
        else {
            value_text(&c, x->shape, &at, p->value, base + x->offset);
            put_present(x, base);
        }
    }
    for (size_t i = 0; i < f->n && !value_full(&c); i++) {
        const struct field *x = &f->field[i];
        const struct value_frame at = value_below(&root, x->name, strlen(x->name));

        if (x->required && !given_before(sent->pair, sent->n, text_of(x->name)))
            value_complain(&c, &at, "is required");
    }
    return verdict(bad, before, err);
}
