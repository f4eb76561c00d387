/* SPDX-License-Identifier: MIT */
#include "verify/document.h"

#include <stdio.h>

#include "eth/address.h"
#include "lib/hex.h"

enum err_code document_open(const char *path, struct arena *a, json_t **out, struct err *err)
{
    char *text = arena_alloc(a, DOCUMENT_MAX + 1);
    FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    bool broken;
    json_t *v = NULL;
    size_t n;
    enum err_code rc;

    if (!f)
        return err_set(err, E_IO, "cannot open '%s'", path);
    n = fread(text, 1, DOCUMENT_MAX + 1, f);
    broken = ferror(f) != 0;
    if (f != stdin)
        fclose(f);
    if (broken)
        return err_set(err, E_IO, "cannot read '%s'", path);
    if (n > DOCUMENT_MAX)
        return err_set(err, E_TOO_LARGE, "no proof has more than %d bytes", DOCUMENT_MAX);
    rc = json_parse(text, n, &v, err);
    if (rc != E_OK)
        return rc;
    if (!json_is_object(v)) {
        json_decref(v);
        return err_set(err, E_VALIDATION, "the document is no JSON object");
    }
    *out = v;
    return E_OK;
}

struct text document_text(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);

    return (struct text){json_string_value(v), json_is_string(v) ? json_string_length(v) : 0};
}

bool document_hex(const json_t *object, const char *name, void *out, size_t n)
{
    struct text t = document_text(object, name);

    return t.s && hex_decode(t.s, t.n, out, n);
}

bool document_address(const json_t *object, const char *name, struct address *out)
{
    struct text t = document_text(object, name);

    return t.s && address_parse(t, out);
}

bool document_int(const json_t *object, const char *name, uint64_t max, uint64_t *out)
{
    const json_t *v = json_object_get(object, name);
    json_int_t i = json_integer_value(v);

    if (!json_is_integer(v) || i < 0 || (uint64_t)i > max)
        return false;
    *out = (uint64_t)i;
    return true;
}

bool document_siblings(const json_t *object, const char *name, struct arena *a,
                       struct siblings *out)
{
    const json_t *list = json_object_get(object, name);
    size_t n = json_array_size(list);
    struct siblings s = {.n = n};

    if (!json_is_array(list) || n > SIBLINGS_MAX)
        return false;
    s.list = arena_alloc(a, (n + 1) * sizeof(*s.list));
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(list, i);

        if (!json_is_string(v) || !hex_decode(json_string_value(v), json_string_length(v),
                                              s.list[i].b, sizeof(s.list[i].b)))
            return false;
    }
    *out = s;
    return true;
}
