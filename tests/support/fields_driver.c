/* SPDX-License-Identifier: MIT */
/*
 * Judges requests with the generated field tables, for tests/api/generator.test.mjs.
 *
 * Reads lines `place TAB operation TAB JSON`, where place is body, query or path and the JSON is a
 * body or an array of [name, value]; answers each with one line of JSON: {"ok": …, "errors":
 * [{pointer, message}]}.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "lib/json.h"

struct op_def {
    int none;
};

/* The route table names the handlers; here nobody calls them. */
#define NO_HANDLER(name) const struct op_def op_##name = {0};
API_OPERATIONS(NO_HANDLER)

#define PAIRS_MAX 32

static const struct route *find(const char *operation)
{
    for (size_t i = 0; i < OP_ID_COUNT; i++)
        if (strcmp(api_routes[i].operation, operation) == 0)
            return &api_routes[i];
    fprintf(stderr, "no operation %s\n", operation);
    exit(2);
}

/* A list of [name, value]; what the pairs borrow lives as long as the list. */
static size_t read_pairs(const json_t *list, struct field_pair *out)
{
    size_t n = json_array_size(list) < PAIRS_MAX ? json_array_size(list) : PAIRS_MAX;

    for (size_t i = 0; i < n; i++) {
        const json_t *pair = json_array_get(list, i);

        out[i].name = text_of(json_string_value(json_array_get(pair, 0)));
        out[i].value = text_of(json_string_value(json_array_get(pair, 1)));
    }
    return n;
}

static enum err_code judge(const char *place, const struct route *route, const char *json,
                           struct arena *a, struct violations *bad)
{
    static const struct fields none;
    bool query = strcmp(place, "query") == 0;
    const struct fields *f = query ? route->query_fields : route->path_fields;
    void *out = arena_alloc(a, route->in_size + 1);
    struct field_pair pairs[PAIRS_MAX];
    struct field_pairs sent = {query ? FIELD_QUERY : FIELD_PATH, pairs, 0};
    enum err_code rc;
    json_t *v;

    rc = json_parse(json, strlen(json), &v, NULL);
    if (rc != E_OK)
        return rc;
    if (strcmp(place, "body") == 0) {
        rc = fields_json(route->body_fields, v, a, out, bad, NULL);
    } else {
        sent.n = read_pairs(v, pairs);
        rc = fields_pairs(f ? f : &none, &sent, a, out, bad, NULL);
    }
    json_decref(v);
    return rc;
}

static void answer(enum err_code rc, const struct violations *bad)
{
    json_t *errors = json_array();
    json_t *all;
    char *text;

    for (size_t i = 0; i < bad->n; i++)
        json_array_append_new(errors, json_pack("{s:s, s:s}", "pointer", bad->list[i].pointer,
                                                "message", bad->list[i].message));
    all = json_pack("{s:b, s:s, s:o}", "ok", rc == E_OK, "code", err_info(rc)->wire, "errors",
                    errors);
    text = json_dumps(all, JSON_COMPACT);
    puts(text ? text : "null");
    free(text);
    json_decref(all);
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;

    while (getline(&line, &room, stdin) > 0) {
        struct arena *a = arena_new();
        struct violations bad = {0};
        char *operation, *json;

        line[strcspn(line, "\n")] = 0;
        operation = strchr(line, '\t');
        json = operation ? strchr(operation + 1, '\t') : NULL;
        if (!json)
            return 2;
        *operation++ = 0;
        *json++ = 0;
        answer(judge(line, find(operation), json, a, &bad), &bad);
        arena_free(a);
    }
    free(line);
    return 0;
}
