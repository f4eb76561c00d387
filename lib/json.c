/* SPDX-License-Identifier: MIT */
#include "lib/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Depth is judged before parsing: jansson would build the whole tree first. */
static enum err_code check_depth(const char *s, size_t n, struct err *err)
{
    bool in_string = false;
    int depth = 0;

    for (size_t i = 0; i < n; i++) {
        char c = s[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > JSON_DEPTH_MAX)
                return err_set(err, E_BAD_JSON, "nested deeper than %d", JSON_DEPTH_MAX);
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return E_OK;
}

#define INTEGER_LIMIT 9007199254740992.0 /* 2^53 */

/* The integer of the same value; NULL when it is none. */
static json_t *as_integer(const json_t *v)
{
    double d = json_real_value(v);

    if (!json_is_real(v) || fabs(d) >= INTEGER_LIMIT || floor(d) < d)
        return NULL;
    return json_integer((json_int_t)d);
}

/* Depth is bounded by check_depth(). */
json_t *json_with_integers(json_t *v_stolen)
{
    json_t *v = v_stolen;
    json_t *whole = as_integer(v);

    if (whole) {
        json_decref(v);
        return whole;
    }
    for (size_t i = 0; i < json_array_size(v); i++) {
        json_t *item = json_array_get(v, i);

        if (!json_is_string(item))
            json_array_set_new(v, i, json_with_integers(json_incref(item)));
    }
    for (void *it = json_object_iter(v); it; it = json_object_iter_next(v, it)) {
        json_t *member = json_object_iter_value(it);

        if (!json_is_string(member))
            json_object_iter_set_new(v, it, json_with_integers(json_incref(member)));
    }
    return v;
}

/* jansson's reason without the text "near" the fault, which is request body. */
static void complain(const json_error_t *where, struct err *err)
{
    const char *near = strstr(where->text, " near ");
    int len = near ? (int)(near - where->text) : (int)strlen(where->text);

    if (strstr(where->text, "JSON_ALLOW_NUL"))
        (void)err_set(err, E_BAD_JSON, "line %d column %d: a text holds a NUL character",
                      where->line, where->column);
    else
        (void)err_set(err, E_BAD_JSON, "line %d column %d: %.*s", where->line, where->column, len,
                      where->text);
}

enum err_code json_parse(const char *s, size_t n, json_t **out, struct err *err)
{
    enum err_code rc = check_depth(s, n, err);
    json_error_t where;
    json_t *v;

    if (rc != E_OK)
        return rc;
    if (n == 0)
        return err_set(err, E_BAD_JSON, "there is no JSON");
    v = json_loadb(s, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
    if (v) {
        *out = json_with_integers(v);
        return E_OK;
    }
    complain(&where, err);
    return E_BAD_JSON;
}
