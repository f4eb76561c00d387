/* SPDX-License-Identifier: MIT */
#include "lib/json.h"

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

enum err_code json_parse(const char *s, size_t n, json_t **out, struct err *err)
{
    enum err_code rc = check_depth(s, n, err);
    json_error_t where;
    json_t *v;
    size_t len;

    if (rc != E_OK)
        return rc;
    if (n == 0)
        return err_set(err, E_BAD_JSON, "there is no JSON");
    v = json_loadb(s, n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where);
    if (v) {
        *out = v;
        return E_OK;
    }
    /* jansson quotes the text "near" the fault: that is request body, so it is cut off */
    len = strcspn(where.text, "'\"\n");
    if (len > 6 && strncmp(where.text + len - 6, " near ", 6) == 0)
        len -= 6;
    return err_set(err, E_BAD_JSON, "line %d column %d: %.*s", where.line, where.column, (int)len,
                   where.text);
}
