/* SPDX-License-Identifier: MIT */
#include "core/outputs.h"

#include <ctype.h>
#include <stdlib.h>

#include "lib/hash.h"
#include "lib/hex.h"

#define MEDIA_TYPE_MAX 128

#define refuse(err, ...) err_set((err), E_VALIDATION, __VA_ARGS__)

bool output_name_ok(struct text name)
{
    if (!name.s || name.n == 0 || name.n > OUTPUT_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.s[i];

        if (c < 0x80 && (isalnum(c) || c == '_'))
            continue;
        if (i > 0 && (c == '.' || c == '-'))
            continue; /* not first: no hidden file, no option, no ".." */
        return false;
    }
    return true;
}

/* type/subtype in lower case, RFC 6838's characters, no parameters. */
static bool media_type_ok(struct text t)
{
    size_t slash = 0;

    if (!t.s || t.n < 3 || t.n > MEDIA_TYPE_MAX)
        return false;
    for (size_t i = 0; i < t.n; i++) {
        char c = t.s[i];
        bool first = i == 0 || t.s[i - 1] == '/';

        if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
            continue;
        if (c == '/' && slash == 0 && !first && i + 1 < t.n)
            slash = i;
        else if (first || c == '\0' || !strchr("!#$&^_.+-", c))
            return false;
    }
    return slash > 0;
}

static struct text string_of(const json_t *v)
{
    return (struct text){json_string_value(v), json_is_string(v) ? json_string_length(v) : 0};
}

static enum err_code read_one(const json_t *v, size_t i, struct output *out, struct err *err)
{
    const json_t *size = json_object_get(v, "size");
    struct text digest = string_of(json_object_get(v, "sha256"));

    if (!json_is_object(v) || json_object_size(v) != 4)
        return refuse(err, "outputs[%zu] must have name, media_type, size and sha256", i);
    out->name = string_of(json_object_get(v, "name"));
    out->media_type = string_of(json_object_get(v, "media_type"));
    out->size = json_integer_value(size);
    if (!output_name_ok(out->name))
        return refuse(err, "outputs[%zu].name is not a safe file name", i);
    if (!media_type_ok(out->media_type))
        return refuse(err, "outputs[%zu].media_type is not type/subtype in lower case", i);
    if (!json_is_integer(size) || out->size < 0 || out->size > OUTPUT_SIZE_LIMIT)
        return refuse(err, "outputs[%zu].size must be 0 to 2^40", i);
    if (digest.n != 64 || !hex_decode(digest.s, digest.n, out->sha256.b, 32))
        return refuse(err, "outputs[%zu].sha256 must be 64 hex digits", i);
    for (size_t k = 0; k < digest.n; k++)
        if (isupper((unsigned char)digest.s[k]))
            return refuse(err, "outputs[%zu].sha256 must be lower case", i);
    return E_OK;
}

enum err_code outputs_read(const json_t *list, int64_t max_files, int64_t max_bytes,
                           struct outputs *out, struct err *err)
{
    struct outputs o = {.n = 0};
    size_t n = json_array_size(list);

    if (!json_is_array(list) || n == 0)
        return refuse(err, "outputs must be a list of at least one file");
    if (n > OUTPUTS_MAX || (int64_t)n > max_files)
        return refuse(err, "outputs has %zu files, the source allows %lld", n,
                      (long long)(max_files < OUTPUTS_MAX ? max_files : OUTPUTS_MAX));
    for (size_t i = 0; i < n; i++) {
        enum err_code rc = read_one(json_array_get(list, i), i, &o.items[i], err);

        if (rc != E_OK)
            return rc;
        for (size_t k = 0; k < i; k++)
            if (text_eq(o.items[k].name, o.items[i].name))
                return refuse(err, "outputs[%zu].name is taken by outputs[%zu]", i, k);
        o.total += o.items[i].size; /* 64 × 2^40 fits */
    }
    if (o.total > max_bytes)
        return refuse(err, "outputs have %lld bytes, the source allows %lld", (long long)o.total,
                      (long long)max_bytes);
    o.n = n;
    *out = o;
    return E_OK;
}

json_t *outputs_json(const struct outputs *o)
{
    json_t *list = json_array();

    for (size_t i = 0; i < o->n; i++) {
        const struct output *f = &o->items[i];
        char hex[65];

        hex_encode(f->sha256.b, sizeof(f->sha256.b), hex);
        if (json_array_append_new(list,
                                  json_pack("{s:s%, s:s%, s:I, s:s}", "name", f->name.s, f->name.n,
                                            "media_type", f->media_type.s, f->media_type.n, "size",
                                            (json_int_t)f->size, "sha256", hex)) != 0)
            abort();
    }
    return list;
}

enum err_code outputs_canonical(const struct outputs *o, struct arena *a, struct text *text,
                                struct digest *digest, struct err *err)
{
    json_t *list = outputs_json(o);
    enum err_code rc = json_canonical(list, a, text, err);

    json_decref(list);
    if (rc == E_OK)
        *digest = sha256(text->s, text->n);
    return rc;
}
