/* SPDX-License-Identifier: MIT */
/* The pages of events, from a file or over HTTP. Whoever serves them wants to be believed. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/buf.h"
#include "lib/http.h"
#include "verify/recount.h"

#define FILE_MAX  ((size_t)256 << 20)
#define PAGES_MAX 20000
#define URL_MAX   2048

static struct event *next_event(struct events *events, struct arena *a)
{
    if (events->n == events->room) {
        size_t room = events->room ? 2 * events->room : 256;
        struct event *list = arena_alloc(a, room * sizeof(*list));

        if (events->n > 0)
            memcpy(list, events->list, events->n * sizeof(*list));
        events->list = list;
        events->room = room;
    }
    return &events->list[events->n];
}

static enum err_code take_page(const json_t *page, struct arena *a, struct events *events,
                               struct err *err)
{
    const json_t *data = json_object_get(page, "data");
    const json_t *item;
    size_t i;

    if (!json_is_array(data))
        return err_set(err, E_VALIDATION, "a page of events has no list \"data\"");
    json_array_foreach(data, i, item)
    {
        uint8_t encoded[EVENT_SIZE];

        if (events->n == EVENTS_MAX)
            return err_set(err, E_TOO_LARGE, "there are more than %d events", EVENTS_MAX);
        if (!document_hex(item, "encoded", encoded, sizeof(encoded)) ||
            !event_decode(encoded, next_event(events, a)))
            return err_set(err, E_VALIDATION, "event %zu: \"encoded\" is not an event's %d bytes",
                           events->n + 1, EVENT_SIZE);
        events->n++;
    }
    return E_OK;
}

/* A page, or a list of pages. */
static enum err_code take_document(const json_t *v, struct arena *a, struct events *events,
                                   struct err *err)
{
    enum err_code rc = E_OK;

    if (!json_is_array(v))
        return take_page(v, a, events, err);
    for (size_t i = 0; i < json_array_size(v) && rc == E_OK; i++)
        rc = take_page(json_array_get(v, i), a, events, err);
    return rc;
}

static enum err_code read_file(const char *path, struct buf *text, struct err *err)
{
    FILE *f = fopen(path, "re");
    char piece[65536];
    enum err_code rc = E_OK;
    size_t n;

    if (!f)
        return err_set(err, E_IO, "cannot open '%s'", path);
    text->cap = FILE_MAX;
    while (rc == E_OK && (n = fread(piece, 1, sizeof(piece), f)) > 0)
        rc = buf_add(text, piece, n, err);
    if (rc == E_OK && ferror(f) != 0)
        rc = err_set(err, E_IO, "cannot read '%s'", path);
    fclose(f);
    return rc;
}

static enum err_code fetch(struct http_client *http, const char *url, json_t **out, struct err *err)
{
    const struct http_call call = {.method = "GET", .url = url};
    struct http_reply reply = {0};
    enum err_code rc = http_do(http, &call, &reply, err);

    if (rc == E_OK && reply.status != 200)
        rc = err_set(err, E_PEER, "%s answered %d", url, reply.status);
    if (rc == E_OK)
        rc = json_parse((const char *)reply.body.p, reply.body.n, out, err);
    buf_done(&reply.body);
    return rc;
}

/* A cursor is base64url: whatever else is there could lead elsewhere. */
static bool harmless(struct text t)
{
    static const char known[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    for (size_t i = 0; i < t.n; i++)
        if (strchr(known, t.s[i]) == NULL || t.s[i] == '\0')
            return false;
    return t.n > 0 && t.n < 512;
}

static enum err_code fetch_all(const char *first, struct arena *a, struct events *events,
                               struct err *err)
{
    struct http_client *http = http_client_new();
    char url[URL_MAX];
    bool more = strlen(first) < URL_MAX - 600;
    enum err_code rc = more ? E_OK : err_set(err, E_CONFIG, "the URL is too long");

    (void)snprintf(url, sizeof(url), "%s", first);
    for (int page = 0; rc == E_OK && more; page++) {
        json_t *v = NULL;
        struct text cursor;

        rc = fetch(http, url, &v, err);
        if (rc == E_OK)
            rc = take_page(v, a, events, err);
        cursor = document_text(v, "next_cursor");
        more = rc == E_OK && json_is_true(json_object_get(v, "has_more"));
        if (more && (!harmless(cursor) || page == PAGES_MAX))
            rc = err_set(err, E_VALIDATION, "the pages do not lead to an end");
        if (rc == E_OK && more)
            (void)snprintf(url, sizeof(url), "%s%ccursor=%.*s", first,
                           strchr(first, '?') ? '&' : '?', (int)cursor.n, cursor.s);
        json_decref(v);
    }
    http_client_free(http);
    return rc;
}

enum err_code events_read(const char *from, struct arena *a, struct events *out, struct err *err)
{
    struct events events = {.n = 0};
    struct buf text = {0};
    json_t *v = NULL;
    enum err_code rc;

    if (strncmp(from, "http://", 7) == 0 || strncmp(from, "https://", 8) == 0) {
        rc = fetch_all(from, a, &events, err);
    } else {
        rc = read_file(from, &text, err);
        if (rc == E_OK)
            rc = json_parse((const char *)text.p, text.n, &v, err);
        if (rc == E_OK)
            rc = take_document(v, a, &events, err);
        json_decref(v);
        buf_done(&text);
    }
    if (rc == E_OK)
        *out = events;
    return rc;
}
