/* SPDX-License-Identifier: MIT */
/* Type texts into types. The texts are our own tables: a wrong one is our bug, never a peer's. */
#include "eth/abi_tree.h"

#include <stdlib.h>

#define WORD 32

struct reader {
    const char *text;
    const char *at;
    struct abi_types *out;
    size_t n;
    unsigned depth;
    struct err *err;
};

static enum err_code wrong(struct reader *r, const char *why)
{
    return err_set(r->err, E_INTERNAL, "'%s': %s", r->text, why);
}

static enum err_code add(struct reader *r, struct abi_type **out)
{
    if (r->n == ABI_TYPES_MAX)
        return wrong(r, "too many types");
    *out = &r->out->t[r->n++];
    **out = (struct abi_type){.span = 1, .head = WORD};
    return E_OK;
}

static bool size_of(const char *digits, size_t n, unsigned unit, unsigned max, uint16_t *out)
{
    unsigned long v = strtoul(digits, NULL, 10);

    *out = (uint16_t)v;
    return n > 0 && digits[0] >= '1' && digits[0] <= '9' && v <= max && v % unit == 0;
}

/* A type of one word, or bytes and string. */
static bool plain(const char *s, size_t n, struct abi_type *t)
{
    struct text word = {s, n};

    t->word = word;
    t->kind = ABI_UINT;
    if (text_is(word, "address"))
        t->size = 160;
    else if (text_is(word, "bool"))
        t->size = 1;
    else if (text_is(word, "bytes"))
        t->kind = ABI_BYTES;
    else if (text_is(word, "string"))
        t->kind = ABI_STRING;
    else if (n > 4 && memcmp(s, "uint", 4) == 0)
        return size_of(s + 4, n - 4, 8, 256, &t->size);
    else if (n > 5 && memcmp(s, "bytes", 5) == 0) {
        t->kind = ABI_FIXED;
        return size_of(s + 5, n - 5, 1, WORD, &t->size);
    } else
        return false;
    return true;
}

static enum err_code read_type(struct reader *r, struct abi_type **out);

/* " indexed name", both optional. */
static void read_name(struct reader *r, struct abi_type *t)
{
    while (*r->at == ' ') {
        size_t n = strcspn(++r->at, " ,)");

        if (text_is((struct text){r->at, n}, "indexed"))
            t->indexed = true;
        else
            t->name = (struct text){r->at, n};
        r->at += n;
    }
}

static enum err_code read_tuple(struct reader *r, struct abi_type *t)
{
    t->kind = ABI_TUPLE;
    t->head = 0;
    for (r->at++; *r->at && *r->at != ')'; r->at += *r->at == ',') {
        struct abi_type *child;
        enum err_code rc = read_type(r, &child);

        if (rc != E_OK)
            return rc;
        read_name(r, child);
        if (*r->at != ',' && *r->at != ')')
            return wrong(r, "no end of a type");
        t->children++;
        t->dynamic = t->dynamic || child->dynamic;
        t->head += child->head;
    }
    if (*r->at != ')')
        return wrong(r, "no closing bracket");
    r->at++;
    if (t->dynamic)
        t->head = WORD;
    return E_OK;
}

/* The type before "[]" becomes the array's child: everything written for it moves up by one. */
static enum err_code wrap(struct reader *r, size_t from)
{
    struct abi_type *t = &r->out->t[from];
    struct abi_type *unused;
    enum err_code rc = add(r, &unused);

    if (rc != E_OK)
        return rc;
    memmove(t + 1, t, (r->n - 1 - from) * sizeof(*t));
    *t = (struct abi_type){.kind = ABI_ARRAY, .children = 1, .dynamic = true, .head = WORD};
    t->span = (uint16_t)(r->n - from);
    return E_OK;
}

static enum err_code read_type(struct reader *r, struct abi_type **out)
{
    size_t from = r->n;
    struct abi_type *t = NULL;
    enum err_code rc = add(r, &t);

    if (rc == E_OK && r->depth++ == ABI_DEPTH_MAX)
        rc = wrong(r, "too deep");
    if (rc != E_OK)
        return rc;
    if (*r->at == '(') {
        rc = read_tuple(r, t);
        if (rc == E_OK && t->children == 0 && from > 0)
            rc = wrong(r, "an empty tuple inside");
        t->span = (uint16_t)(r->n - from);
    } else {
        size_t n = strcspn(r->at, " ,()[");

        if (!plain(r->at, n, t))
            rc = wrong(r, "an unknown type");
        t->dynamic = t->kind == ABI_BYTES || t->kind == ABI_STRING;
        r->at += n;
    }
    for (unsigned layers = 0; rc == E_OK && r->at[0] == '[' && r->at[1] == ']'; r->at += 2)
        rc = ++layers + r->depth > ABI_DEPTH_MAX ? wrong(r, "too deep") : wrap(r, from);
    r->depth--;
    *out = &r->out->t[from];
    return rc;
}

enum err_code abi_types_parse(const char *text, struct abi_types *out, struct err *err)
{
    struct reader r = {.text = text, .at = text, .out = out, .err = err};
    struct abi_type *t;
    enum err_code rc;

    if (*text != '(')
        return wrong(&r, "no opening bracket");
    rc = read_type(&r, &t);
    if (rc == E_OK && (*r.at != '\0' || t->kind != ABI_TUPLE))
        rc = wrong(&r, "something behind the last bracket");
    return rc;
}

void abi_types_half(const struct abi_types *types, bool indexed, struct abi_types *out)
{
    const struct abi_type *child = types->t + 1;
    struct abi_type *all = &out->t[0];

    *all = (struct abi_type){.kind = ABI_TUPLE, .span = 1};
    for (unsigned i = 0; i < types->t[0].children; i++, child += child->span) {
        if (child->indexed != indexed)
            continue;
        memcpy(all + all->span, child, child->span * sizeof(*child));
        all->span = (uint16_t)(all->span + child->span);
        all->children++;
    }
}

static enum err_code put(struct buf *out, struct text s, struct err *err)
{
    return buf_add(out, s.s, s.n, err);
}

static enum err_code canonical(const struct abi_type *t, struct buf *out, struct err *err)
{
    const struct abi_type *child = t + 1;
    enum err_code rc;

    if (t->kind == ABI_ARRAY) {
        rc = canonical(child, out, err);
        return rc == E_OK ? put(out, text_of("[]"), err) : rc;
    }
    if (t->kind != ABI_TUPLE)
        return put(out, t->word, err);
    rc = put(out, text_of("("), err);
    for (unsigned i = 0; i < t->children && rc == E_OK; i++, child += child->span) {
        if (i > 0)
            rc = put(out, text_of(","), err);
        if (rc == E_OK)
            rc = canonical(child, out, err);
    }
    return rc == E_OK ? put(out, text_of(")"), err) : rc;
}

enum err_code abi_types_canonical(const struct abi_types *types, struct buf *out, struct err *err)
{
    return canonical(types->t, out, err);
}

bool abi_word_fits(const struct abi_type *t, const uint8_t word[WORD])
{
    unsigned used = t->kind == ABI_FIXED ? t->size : (t->size + 7U) / 8;

    for (unsigned i = 0; i < WORD - used; i++)
        if (word[t->kind == ABI_FIXED ? WORD - 1 - i : i] != 0)
            return false;
    /* bool is the one type that is not whole bytes */
    return t->kind == ABI_FIXED || t->size != 1 || word[WORD - 1] <= 1;
}
