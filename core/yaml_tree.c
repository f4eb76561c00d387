/* SPDX-License-Identifier: MIT */
#include "core/yaml_tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

/* A list or map that is being filled, and where its next member goes. */
struct open_node {
    struct yaml_node *node;
    struct yaml_node **tail;
    struct text key; /* map: read, waiting for its value */
    int key_line;
};

struct reader {
    struct arena *arena;
    struct err *err;
    struct yaml_node *root;
    struct open_node open[YAML_DEPTH_MAX];
    size_t depth;
    size_t nodes;
    bool over;
};

static enum err_code refuse(struct reader *r, size_t line, const char *why)
{
    return err_set(r->err, E_BAD_MANIFEST, "line %zu: %s", line + 1, why);
}

static bool has_key(const struct yaml_node *map, struct text key)
{
    for (const struct yaml_node *n = map->first; n; n = n->next) {
        if (text_eq(n->key, key))
            return true;
    }
    return false;
}

/* What is being filled; NULL at the document's own level. */
static struct open_node *top(struct reader *r)
{
    struct open_node *o = r->depth ? &r->open[r->depth - 1] : NULL;
    return o && o->node ? o : NULL;
}

/* Hang a finished value (or a list that begins) where it belongs. */
static enum err_code attach(struct reader *r, struct yaml_node *n)
{
    struct open_node *o = top(r);
    if (!o) {
        if (r->root)
            return refuse(r, (size_t)n->line - 1, "a second document");
        r->root = n;
        return E_OK;
    }
    if (o->node->kind == YAML_MAP) {
        n->key = o->key;
        n->key_line = o->key_line;
        o->key.s = NULL;
    }
    *o->tail = n;
    o->tail = &n->next;
    return E_OK;
}

static enum err_code take_key(struct reader *r, struct open_node *o, const yaml_event_t *e)
{
    const char *s = (const char *)e->data.scalar.value;
    struct text key = {s, e->data.scalar.length};
    if (has_key(o->node, key))
        return refuse(r, e->start_mark.line, "the same key a second time");
    if (key.n == 0 || memchr(s, '\0', key.n))
        return refuse(r, e->start_mark.line, "a key that is empty or not text");
    o->key = arena_text(r->arena, key);
    o->key_line = (int)e->start_mark.line + 1;
    return E_OK;
}

static enum err_code take_scalar(struct reader *r, const yaml_event_t *e)
{
    struct open_node *o = top(r);
    if (o && o->node->kind == YAML_MAP && !o->key.s)
        return take_key(r, o, e);
    struct text t = {(const char *)e->data.scalar.value, e->data.scalar.length};
    if (t.n > 0 && memchr(t.s, '\0', t.n))
        return refuse(r, e->start_mark.line, "a NUL in a text");
    struct yaml_node *n = arena_alloc(r->arena, sizeof(*n));
    n->kind = YAML_SCALAR;
    n->line = (int)e->start_mark.line + 1;
    n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    n->text = arena_text(r->arena, t);
    return attach(r, n);
}

static enum err_code begin(struct reader *r, const yaml_event_t *e, enum yaml_kind kind)
{
    struct open_node *o = top(r);
    if (o && o->node->kind == YAML_MAP && !o->key.s)
        return refuse(r, e->start_mark.line, "a key that is not text");
    if (r->depth >= YAML_DEPTH_MAX)
        return refuse(r, e->start_mark.line, "too many levels");
    struct yaml_node *n = arena_alloc(r->arena, sizeof(*n));
    n->kind = kind;
    n->line = (int)e->start_mark.line + 1;
    enum err_code rc = attach(r, n);
    r->open[r->depth++] = (struct open_node){.node = n, .tail = &n->first};
    return rc;
}

/* Anchors, aliases and tags: never needed here, and the first two are how small files grow large.
 */
static bool is_clever(const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_ALIAS_EVENT:
        return true;
    case YAML_SCALAR_EVENT:
        return e->data.scalar.anchor || e->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT:
        return e->data.sequence_start.anchor || e->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
        return e->data.mapping_start.anchor || e->data.mapping_start.tag;
    default:
        return false;
    }
}

static enum err_code take(struct reader *r, const yaml_event_t *e)
{
    if (is_clever(e))
        return refuse(r, e->start_mark.line, "anchors, aliases and tags are not carried");
    if (++r->nodes > YAML_NODES_MAX)
        return refuse(r, e->start_mark.line, "too many values");
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return take_scalar(r, e);
    case YAML_SEQUENCE_START_EVENT:
        return begin(r, e, YAML_LIST);
    case YAML_MAPPING_START_EVENT:
        return begin(r, e, YAML_MAP);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        return E_OK;
    case YAML_STREAM_END_EVENT:
        r->over = true;
        return E_OK;
    default:
        return E_OK;
    }
}

enum err_code yaml_read(struct text yaml, struct arena *a, struct yaml_node **out, struct err *err)
{
    struct reader r = {.arena = a, .err = err};
    yaml_parser_t parser;
    enum err_code rc = E_OK;
    if (yaml.n > YAML_BYTES_MAX)
        return err_set(err, E_BAD_MANIFEST, "line 1: more than %d bytes", YAML_BYTES_MAX);
    if (!yaml_parser_initialize(&parser))
        return err_set(err, E_INTERNAL, "no memory for a YAML parser");
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)yaml.s, yaml.n);
    while (rc == E_OK && !r.over) {
        yaml_event_t e;
        if (!yaml_parser_parse(&parser, &e)) {
            rc = refuse(&r, parser.problem_mark.line, parser.problem ? parser.problem : "not YAML");
            break;
        }
        rc = take(&r, &e);
        yaml_event_delete(&e);
    }
    yaml_parser_delete(&parser);
    if (rc == E_OK && !r.root)
        rc = err_set(err, E_BAD_MANIFEST, "line 1: there is nothing in it");
    if (rc == E_OK)
        *out = r.root;
    return rc;
}

const struct yaml_node *yaml_member(const struct yaml_node *map, const char *name)
{
    const struct yaml_node *n = map && map->kind == YAML_MAP ? map->first : NULL;
    while (n && !text_is(n->key, name))
        n = n->next;
    return n;
}

bool yaml_is_null(const struct yaml_node *n)
{
    return !n || (n->kind == YAML_SCALAR && n->plain &&
                  (n->text.n == 0 || text_is(n->text, "~") || text_is(n->text, "null")));
}
