/* SPDX-License-Identifier: MIT */
#include <jansson.h>

#include "lib/utf8.h"
#include "server/reply.h"

/* What OpenAI-style clients sort errors by. */
static const char *type_of(int http)
{
    switch (http) {
    case 401:
        return "authentication_error";
    case 403:
        return "permission_error";
    case 404:
        return "not_found_error";
    case 409:
        return "conflict_error";
    case 429:
        return "rate_limit_error";
    default:
        return http >= 500 ? "api_error" : "invalid_request_error";
    }
}

static json_t *text_json(struct text t)
{
    if (!t.s || !utf8_valid(t.s, t.n))
        return json_string("");
    return json_stringn(t.s, t.n);
}

static json_t *violations_json(const struct violations *bad)
{
    static const char *const places[] = {
        [FIELD_BODY] = NULL, [FIELD_QUERY] = "query", [FIELD_PATH] = "path"};
    json_t *list = json_array();

    for (size_t i = 0; i < bad->n; i++) {
        const struct violation *v = &bad->list[i];
        json_t *entry = json_pack("{s:s, s:s}", "pointer", v->pointer, "message", v->message);

        if (places[v->place])
            json_object_set_new(entry, "in", json_string(places[v->place]));
        json_array_append_new(list, entry);
    }
    return list;
}

static const char *param_of(const struct violations *bad)
{
    const char *pointer = bad && bad->n > 0 ? bad->list[0].pointer : "";

    return *pointer == '/' && pointer[1] ? pointer + 1 : NULL;
}

static const char *detail_of(struct arena *arena, const char *detail, const struct violations *bad)
{
    if (bad && bad->n > 0)
        return *bad->list[0].pointer
                   ? arena_printf(arena, "%s: %s", bad->list[0].pointer, bad->list[0].message)
                   : arena_printf(arena, "the body %s", bad->list[0].message);
    if (!utf8_valid(detail, strlen(detail)))
        return "";
    return detail;
}

struct text problem_body(struct arena *arena, const struct problem *p)
{
    const struct err_info *info = err_info(p->code);
    const char *said = detail_of(arena, p->detail, p->bad);
    const char *message = *said ? said : info->title;
    json_t *body = json_object();
    struct text out;

    json_object_set_new(body, "type",
                        json_string(arena_printf(arena, "%s/problems/%s", p->base, info->word)));
    json_object_set_new(body, "title", json_string(info->title));
    json_object_set_new(body, "status", json_integer(info->http));
    json_object_set_new(body, "detail", json_string(message));
    json_object_set_new(body, "instance", text_json(p->instance));
    json_object_set_new(body, "code", json_string(info->wire));
    json_object_set_new(body, "request_id", json_string(p->request_id));
    if (p->bad && p->bad->n > 0)
        json_object_set_new(body, "errors", violations_json(p->bad));
    json_object_set_new(body, "error",
                        json_pack("{s:s, s:s, s:s?, s:s, s:s}", "message", message, "type",
                                  type_of(info->http), "param", param_of(p->bad), "code",
                                  info->wire, "request_id", p->request_id));
    out = json_text(body, arena);
    json_decref(body);
    return out;
}
