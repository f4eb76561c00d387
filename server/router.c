/* SPDX-License-Identifier: MIT */
#include "server/router.h"

#include <stdlib.h>

#include "server/escape.h"

enum method { METHOD_GET, METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_DELETE, METHOD_COUNT };

static const char *const method_names[METHOD_COUNT] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

/* One segment of the templates; siblings are the ways on from their parent. */
struct node {
    struct text segment; /* literal, or the parameter's name */
    bool param;
    struct node *child;
    struct node *next;
    const struct route *by_method[METHOD_COUNT];
};

struct router {
    struct node root;
    const struct route **routes;
    size_t n;
};

struct router *router_new(void)
{
    struct router *r = calloc(1, sizeof(*r));

    if (!r)
        abort();
    return r;
}

static void free_nodes(struct node *node)
{
    while (node) {
        struct node *next = node->next;

        free_nodes(node->child);
        free(node);
        node = next;
    }
}

void router_free(struct router *router)
{
    if (!router)
        return;
    free_nodes(router->root.child);
    free(router->routes);
    free(router);
}

static enum method method_of(struct text name)
{
    if (text_is(name, "HEAD"))
        return METHOD_GET;
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        if (text_is(name, method_names[i]))
            return (enum method)i;
    }
    return METHOD_COUNT;
}

/* Cuts the first segment off a path that begins with a slash. */
static struct text next_segment(struct text *path)
{
    struct text rest = {path->s + 1, path->n - 1};
    const char *end = memchr(rest.s, '/', rest.n);
    struct text segment = {rest.s, end ? (size_t)(end - rest.s) : rest.n};

    *path = (struct text){segment.s + segment.n, rest.n - segment.n};
    return segment;
}

static struct node *child_for(struct node *parent, struct text segment, bool param)
{
    struct node *node;

    for (node = parent->child; node; node = node->next) {
        if (node->param == param && text_eq(node->segment, segment))
            return node;
    }
    node = calloc(1, sizeof(*node));
    if (!node)
        abort();
    node->segment = segment;
    node->param = param;
    node->next = parent->child;
    parent->child = node;
    return node;
}

static enum err_code add_one(struct router *router, const struct route *route, struct err *err)
{
    struct text path = text_of(route->path);
    struct node *node = &router->root;
    enum method method = method_of(text_of(route->method));
    size_t params = 0;

    if (method == METHOD_COUNT || path.n == 0 || path.s[0] != '/')
        return err_set(err, E_CONFIG, "route %s %s is malformed", route->method, route->path);
    while (path.n > 0) {
        struct text segment = next_segment(&path);
        bool param = segment.n > 2 && segment.s[0] == '{' && segment.s[segment.n - 1] == '}';

        if (param && ++params > ROUTE_PARAMS_MAX)
            return err_set(err, E_CONFIG, "route %s has too many parameters", route->path);
        if (param)
            segment = (struct text){segment.s + 1, segment.n - 2};
        node = child_for(node, segment, param);
    }
    if (node->by_method[method])
        return err_set(err, E_CONFIG, "route %s %s is there twice", route->method, route->path);
    node->by_method[method] = route;
    router->routes[router->n++] = route;
    return E_OK;
}

enum err_code router_add(struct router *router, const struct route *routes, size_t n,
                         struct err *err)
{
    const struct route **grown = realloc(router->routes, (router->n + n + 1) * sizeof(*grown));

    if (!grown)
        abort();
    router->routes = grown;
    for (size_t i = 0; i < n; i++) {
        enum err_code code = add_one(router, &routes[i], err);

        if (code != E_OK)
            return code;
    }
    return E_OK;
}

static bool has_routes(const struct node *node)
{
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        if (node->by_method[i])
            return true;
    }
    return false;
}

static const struct node *find(const struct node *parent, struct text path, struct arena *arena,
                               struct route_match *out);

static const struct node *find_param(const struct node *node, struct text segment, struct text rest,
                                     struct arena *arena, struct route_match *out)
{
    struct text value;
    const struct node *found;

    if ((segment.n == 0 && rest.n > 0) || !escape_decode(segment, false, arena, &value))
        return NULL;
    out->param[out->params++] = (struct field_pair){.name = node->segment, .value = value};
    found = find(node, rest, arena, out);
    if (!found)
        out->params--;
    return found;
}

static const struct node *find(const struct node *parent, struct text path, struct arena *arena,
                               struct route_match *out)
{
    const struct node *found = NULL;
    struct text segment;

    if (path.n == 0)
        return has_routes(parent) ? parent : NULL;
    segment = next_segment(&path);
    for (const struct node *node = parent->child; node && !found; node = node->next) {
        if (!node->param && text_eq(node->segment, segment))
            found = find(node, path, arena, out);
    }
    for (const struct node *node = parent->child; node && !found; node = node->next) {
        if (node->param)
            found = find_param(node, segment, path, arena, out);
    }
    return found;
}

static const char *allow_of(const struct node *node, struct arena *arena)
{
    const char *allow = "";

    for (size_t i = 0; i < METHOD_COUNT; i++) {
        if (node->by_method[i])
            allow = arena_printf(arena, "%s%s%s%s", allow, *allow ? ", " : "", method_names[i],
                                 i == METHOD_GET ? ", HEAD" : "");
    }
    return allow;
}

enum err_code router_match(const struct router *router, struct text method, struct text path,
                           struct arena *arena, struct route_match *out)
{
    enum method m = method_of(method);
    const struct node *node;

    memset(out, 0, sizeof(*out));
    if (path.n == 0 || path.s[0] != '/')
        return E_NOT_FOUND;
    node = find(&router->root, path, arena, out);
    if (!node)
        return E_NOT_FOUND;
    if (m == METHOD_COUNT || !node->by_method[m]) {
        out->allow = allow_of(node, arena);
        return E_METHOD_NOT_ALLOWED;
    }
    out->route = node->by_method[m];
    return E_OK;
}

size_t router_count(const struct router *router)
{
    return router->n;
}

const struct route *router_at(const struct router *router, size_t index)
{
    return router->routes[index];
}

size_t router_index(const struct router *router, const struct route *route)
{
    for (size_t i = 0; i < router->n; i++) {
        if (router->routes[i] == route)
            return i;
    }
    return router->n;
}
