/* SPDX-License-Identifier: MIT */
#include <jansson.h>

#include "core/money.h"
#include "eth/address.h"
#include "indexer/mirror.h"
#include "lib/json.h"
#include "lib/utf8.h"

/* A string of a stranger's contract is kept to so many bytes; real ones are URLs. */
#define TEXT_MAX 4096

/* What is not text (broken UTF-8, and NUL, which PostgreSQL's text cannot hold) becomes U+FFFD,
 * what is too long is cut; `exact` tells whether neither happened. */
static json_t *string_json(struct bytes data, struct arena *a)
{
    static const char unknown[] = "\xef\xbf\xbd";
    char *out = arena_alloc(a, TEXT_MAX + sizeof(unknown));
    const char *s = (const char *)data.p;
    bool exact = true;
    size_t at = 0;
    size_t n = 0;

    while (at < data.n && n < TEXT_MAX) {
        size_t step = s[at] == '\0' ? 0 : utf8_step(s + at, data.n - at);

        if (n + (step ? step : sizeof(unknown) - 1) > TEXT_MAX)
            break;
        memcpy(out + n, step ? s + at : unknown, step ? step : sizeof(unknown) - 1);
        n += step ? step : sizeof(unknown) - 1;
        at += step ? step : 1;
        exact = exact && step > 0;
    }
    return json_pack("{s:o, s:I, s:b}", "text", json_stringn_nocheck(out, n), "size",
                     (json_int_t)data.n, "exact", exact && at == data.n);
}

static json_t *word_json(const struct abi_type *t, const uint8_t word[32])
{
    struct wei w = wei_from_be(word);
    char text[WEI_TEXT_MAX];

    if (text_is(t->word, "address")) {
        char eip55[ADDRESS_TEXT_MAX];
        struct address a;

        memcpy(a.b, word + 12, sizeof(a.b));
        address_format(a, eip55);
        return json_string(eip55);
    }
    if (text_is(t->word, "bool"))
        return json_boolean(word[31]);
    if (t->size <= 32)
        return json_integer((json_int_t)w.limb[0]);
    wei_format(w, text);
    return json_string(text);
}

static json_t *struct_json(const struct abi_type *t, const struct abi_node *v, struct arena *a)
{
    const struct abi_type *child = t + 1;
    json_t *out = json_object();

    for (size_t i = 0; i < v->n; i++, child += child->span) {
        const char *name = arena_copy(a, child->name.s, child->name.n);
        json_t *member = child->kind == ABI_UINT     ? word_json(child, v->items[i].word)
                         : child->kind == ABI_STRING ? string_json(v->items[i].data, a)
                                                     : NULL;

        if (!member || json_object_set_new(out, name, member) != 0) {
            json_decref(out);
            return NULL;
        }
    }
    return out;
}

enum err_code mirror_json(const struct abi_type *t, const struct abi_node *v, struct arena *a,
                          struct text *out, struct err *err)
{
    json_t *json = struct_json(t, v, a);

    if (!json)
        return err_set(err, E_INTERNAL, "a struct has a type that has no JSON form");
    *out = json_text(json, a);
    json_decref(json);
    return E_OK;
}
