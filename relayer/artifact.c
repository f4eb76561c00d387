/* SPDX-License-Identifier: MIT */
#include "relayer/artifact.h"

#include <string.h>

#include "eth/rpc_shape.h"

enum err_code artifact_read(const char *dir, const char *name, struct arena *a,
                            struct artifact *out, struct err *err)
{
    const char *path = arena_printf(a, "%s/%s.json", dir, name);
    struct artifact f = {.name = name};
    struct err why = {0};
    json_error_t where;
    json_t *v = json_load_file(path, JSON_REJECT_DUPLICATES, &where);
    enum err_code rc = v ? E_OK : err_set(&why, E_CONFIG, "%s", where.text);

    if (rc == E_OK)
        rc = shape_bytes(json_object_get(v, "bytecode"), "bytecode", a, &f.init, &why);
    if (rc == E_OK)
        rc = shape_bytes(json_object_get(v, "code"), "code", a, &f.code, &why);
    f.immutables = json_incref(json_object_get(v, "immutables"));
    if (rc == E_OK && !json_is_object(f.immutables))
        rc = err_set(&why, E_CONFIG, "immutables: no object");
    json_decref(v);
    if (rc != E_OK) {
        artifact_done(&f);
        return err_set(err, E_CONFIG, "'%s' is no compiled contract (make contracts): %s", path,
                       why.text);
    }
    *out = f;
    return E_OK;
}

void artifact_done(struct artifact *f)
{
    json_decref(f->immutables);
    f->immutables = NULL;
}

/* Writes an immutable's word wherever the code has it. */
static enum err_code fill(const struct artifact *f, const json_t *places,
                          const struct immutable *value, uint8_t *code, struct err *err)
{
    for (size_t i = 0; i < json_array_size(places); i++) {
        json_int_t at = json_integer_value(json_array_get(places, i));

        if (at < 0 || f->code.n < 32 || (uint64_t)at > f->code.n - 32)
            return err_set(err, E_CONFIG, "%s: %s lies outside the code", f->name, value->name);
        memcpy(code + at, value->word, 32);
    }
    return E_OK;
}

enum err_code artifact_match(const struct artifact *f, struct bytes code,
                             const struct immutable *values, size_t n, struct arena *a,
                             struct err *err)
{
    uint8_t *want = arena_alloc(a, f->code.n + 1);
    const char *name;
    json_t *places;

    memcpy(want, f->code.p, f->code.n);
    json_object_foreach(f->immutables, name, places)
    {
        size_t i = 0;
        enum err_code rc;

        while (i < n && strcmp(values[i].name, name) != 0)
            i++;
        if (i == n)
            return err_set(err, E_CONFIG, "%s has an immutable '%s' that nobody here knows",
                           f->name, name);
        rc = fill(f, places, &values[i], want, err);
        if (rc != E_OK)
            return rc;
    }
    if (code.n != f->code.n)
        return err_set(err, E_CONFIG, "%s: %zu bytes of code on the chain, %zu were compiled",
                       f->name, code.n, f->code.n);
    for (size_t i = 0; i < code.n; i++)
        if (code.p[i] != want[i])
            return err_set(err, E_CONFIG, "%s: the code on the chain differs at byte %zu", f->name,
                           i);
    return E_OK;
}
