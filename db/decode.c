/* SPDX-License-Identifier: MIT */
#include "db/decode.h"

#include <string.h>

#include "core/money.h"
#include "lib/bytes.h"

static uint64_t get_be(const char *p, int bytes)
{
    uint64_t v = 0;

    for (int i = 0; i < bytes; i++) {
        v = v << 8 | (uint8_t)p[i];
    }
    return v;
}

/* The binary length each type must have; -1: any. */
static int wire_length(enum sql_type type)
{
    switch (type) {
    case SQL_TYPE_UUID:
        return 16;
    case SQL_TYPE_INT4:
        return 4;
    case SQL_TYPE_INT8:
    case SQL_TYPE_TIME:
        return 8;
    case SQL_TYPE_BOOL:
        return 1;
    case SQL_TYPE_TEXT:
    case SQL_TYPE_BYTEA:
    case SQL_TYPE_WEI:
        break;
    }
    return -1;
}

/* @return false when the bytes are not of the type */
static bool get_value(const struct sql_field *f, const char *p, size_t n, struct arena *arena,
                      void *m)
{
    if (wire_length(f->type) >= 0 && (size_t)wire_length(f->type) != n) {
        return false;
    }
    switch (f->type) {
    case SQL_TYPE_UUID:
        memcpy(m, p, 16);
        break;
    case SQL_TYPE_INT4:
        *(int32_t *)m = (int32_t)get_be(p, 4);
        break;
    case SQL_TYPE_INT8:
    case SQL_TYPE_TIME:
        *(int64_t *)m = (int64_t)get_be(p, 8);
        break;
    case SQL_TYPE_BOOL:
        *(bool *)m = p[0] != 0;
        break;
    case SQL_TYPE_TEXT:
        *(struct text *)m = (struct text){arena_copy(arena, p, n), n};
        break;
    case SQL_TYPE_BYTEA:
        *(struct bytes *)m = (struct bytes){(const uint8_t *)arena_copy(arena, p, n), n};
        break;
    case SQL_TYPE_WEI:
        return wei_parse((struct text){p, n}, m);
    }
    return true;
}

enum err_code decode_row(const struct sql_stmt *s, const PGresult *res, int row,
                         struct arena *arena, void *out, struct err *err)
{
    for (size_t i = 0; i < s->n_columns; i++) {
        const struct sql_field *f = &s->columns[i];
        char *base = out;

        if (PQgetisnull(res, row, (int)i)) {
            if (!f->nullable) {
                return err_set(err, E_INTERNAL, "%s: column %s is NULL, db/sql says never", s->name,
                               f->name);
            }
            /* The row is zeroed: that is "no value" for every type. */
            continue;
        }
        if (!get_value(f, PQgetvalue(res, row, (int)i), (size_t)PQgetlength(res, row, (int)i),
                       arena, base + f->offset)) {
            return err_set(err, E_INTERNAL, "%s: column %s holds no %s", s->name, f->name,
                           f->type == SQL_TYPE_WEI ? "wei" : "value of its type");
        }
        if (f->has != SQL_NO_HAS) {
            *(bool *)(base + f->has) = true;
        }
    }
    return E_OK;
}

enum err_code decode_rows(const struct sql_stmt *s, const PGresult *res, struct arena *arena,
                          const void **rows, size_t *n_rows, struct err *err)
{
    size_t n = (size_t)PQntuples(res);
    char *all = n > 0 ? arena_alloc(arena, n * s->row_size) : NULL;

    for (size_t i = 0; i < n; i++) {
        enum err_code code = decode_row(s, res, (int)i, arena, all + i * s->row_size, err);

        if (code) {
            return code;
        }
    }
    *rows = all;
    *n_rows = n;
    return E_OK;
}

int32_t decode_call(const struct sql_stmt *s, const PGresult *res, int row)
{
    int column = (int)s->call_column;

    if (PQgetisnull(res, row, column) || PQgetlength(res, row, column) != 4) {
        return -1;
    }
    return (int32_t)get_be(PQgetvalue(res, row, column), 4);
}
