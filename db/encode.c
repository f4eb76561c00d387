/* SPDX-License-Identifier: MIT */
#include "db/encode.h"

#include <stdlib.h>
#include <string.h>

#include "core/money.h"
#include "db/prepare.h"
#include "lib/bytes.h"

#define ENCODE_MAX (256U << 20)

/* ndim, has-null flag, element oid, length, lower bound: array_recv() in arrayfuncs.c. */
#define ARRAY_HEADER 20

void encoder_done(struct encoder *e)
{
    free(e->p);
    e->p = NULL;
    e->n = e->room = 0;
}

static void *member(const void *in, uint32_t offset)
{
    return (char *)(uintptr_t)in + offset;
}

static bool has_value(const struct sql_field *f, const void *in)
{
    const void *m = member(in, f->offset);

    if (f->has != SQL_NO_HAS) {
        return *(const bool *)member(in, f->has);
    }
    switch (f->type) {
    case SQL_TYPE_UUID:
        return !uuid_is_zero(*(const struct uuid *)m);
    case SQL_TYPE_TEXT:
        return ((const struct text *)m)->s != NULL;
    case SQL_TYPE_BYTEA:
        return ((const struct bytes *)m)->p != NULL;
    case SQL_TYPE_TIME:
        return *(const int64_t *)m != 0;
    case SQL_TYPE_INT4:
    case SQL_TYPE_INT8:
    case SQL_TYPE_BOOL:
    case SQL_TYPE_WEI:
        break;
    }
    return true;
}

const char *encode_missing(const struct sql_stmt *s, const void *in)
{
    for (size_t i = 0; i < s->n_params; i++) {
        if (!s->params[i].nullable && !has_value(&s->params[i], in)) {
            return s->params[i].name;
        }
    }
    return NULL;
}

static size_t field_weight(const struct sql_field *f, const void *in)
{
    if (f->type == SQL_TYPE_TEXT) {
        return ((const struct text *)member(in, f->offset))->n;
    }
    return f->type == SQL_TYPE_BYTEA ? ((const struct bytes *)member(in, f->offset))->n : 0;
}

size_t encode_weight(const struct sql_stmt *s, const void *in)
{
    size_t n = 0;

    for (size_t i = 0; i < s->n_params; i++) {
        n += field_weight(&s->params[i], in);
    }
    return n;
}

/* Room for n more bytes; memory that is gone ends the process, as everywhere (lib/arena.h). */
static void make_room(struct encoder *e, size_t n)
{
    size_t room = e->room ? e->room : 64 * 1024;

    if (e->n + n <= e->room) {
        return;
    }
    while (room < e->n + n) {
        room *= 2;
    }
    e->p = realloc(e->p, room);
    if (!e->p) {
        abort();
    }
    e->room = room;
}

static void store_be(uint8_t *p, uint64_t v, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--) {
        p[i] = (uint8_t)v;
        v >>= 8;
    }
}

static void put_be(struct encoder *e, uint64_t v, int bytes)
{
    store_be(e->p + e->n, v, bytes);
    e->n += (size_t)bytes;
}

static void put_bytes(struct encoder *e, const void *p, size_t n)
{
    if (n > 0) {
        memcpy(e->p + e->n, p, n);
        e->n += n;
    }
}

/* One value without its length; the caller made room. */
static void put_value(struct encoder *e, const struct sql_field *f, const void *in)
{
    const void *m = member(in, f->offset);
    char decimal[WEI_TEXT_MAX];

    switch (f->type) {
    case SQL_TYPE_UUID:
        put_bytes(e, m, sizeof(struct uuid));
        break;
    case SQL_TYPE_INT4:
        put_be(e, (uint32_t) * (const int32_t *)m, 4);
        break;
    case SQL_TYPE_INT8:
    case SQL_TYPE_TIME:
        put_be(e, (uint64_t) * (const int64_t *)m, 8);
        break;
    case SQL_TYPE_BOOL:
        put_be(e, *(const bool *)m, 1);
        break;
    case SQL_TYPE_TEXT:
        put_bytes(e, ((const struct text *)m)->s, ((const struct text *)m)->n);
        break;
    case SQL_TYPE_BYTEA:
        put_bytes(e, ((const struct bytes *)m)->p, ((const struct bytes *)m)->n);
        break;
    case SQL_TYPE_WEI:
        wei_format(*(const struct wei *)m, decimal);
        put_bytes(e, decimal, strlen(decimal));
        break;
    }
}

/* @return length of the value, -1 for NULL */
static int put_scalar(struct encoder *e, const struct sql_field *f, const void *in)
{
    size_t start = e->n;

    if (!has_value(f, in)) {
        return -1;
    }
    make_room(e, field_weight(f, in) + WEI_TEXT_MAX);
    put_value(e, f, in);
    return (int)(e->n - start);
}

static int put_array(struct encoder *e, const struct sql_field *f, const void *const *in, size_t n)
{
    size_t start = e->n;
    bool nulls = false;

    make_room(e, ARRAY_HEADER);
    put_be(e, 1, 4);
    put_be(e, 0, 4);
    put_be(e, sql_type_oid(f->type, false), 4);
    put_be(e, n, 4);
    put_be(e, 1, 4);
    for (size_t i = 0; i < n; i++) {
        size_t at;
        int length;

        make_room(e, 4);
        at = e->n;
        e->n += 4;
        length = put_scalar(e, f, in[i]);
        nulls |= length < 0;
        store_be(e->p + at, (uint32_t)length, 4);
    }
    store_be(e->p + start + 4, nulls, 4);
    return (int)(e->n - start);
}

enum err_code encode_params(struct encoder *e, const struct sql_stmt *s, const void *const *in,
                            size_t n, struct err *err)
{
    size_t weight = n * s->n_params * WEI_TEXT_MAX;

    for (size_t i = 0; i < n; i++) {
        weight += encode_weight(s, in[i]);
    }
    if (weight > ENCODE_MAX || s->n_params > ENCODE_PARAMS_MAX) {
        return err_set(err, E_TOO_LARGE, "%s: parameters of %zu calls are too large", s->name, n);
    }
    e->n = 0;
    for (size_t i = 0; i < s->n_params; i++) {
        e->at[i] = e->n;
        e->length[i] = s->class == SQL_CLASS_READ ? put_scalar(e, &s->params[i], in[0])
                                                  : put_array(e, &s->params[i], in, n);
    }
    /* A buffer exists even when every value is empty: NULL would mean SQL NULL to libpq. */
    make_room(e, 1);
    return E_OK;
}

struct link_params encode_section(struct encoder *e, const struct sql_section *x)
{
    for (size_t i = 0; i < x->n_params; i++) {
        size_t k = x->params[i];

        e->values[i] = e->length[k] < 0 ? NULL : (const char *)e->p + e->at[k];
        e->lengths[i] = e->length[k] < 0 ? 0 : e->length[k];
        e->formats[i] = 1;
    }
    return (struct link_params){(int)x->n_params, e->values, e->lengths, e->formats};
}
