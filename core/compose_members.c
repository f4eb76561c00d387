/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <stdlib.h>

#include "core/compose_parts.h"
#include "core/manifest.h"

/* ---- environment ---- */

static bool is_env_name(struct text t)
{
    if (t.n == 0 || t.n > 64 || isdigit((unsigned char)t.s[0]))
        return false;
    for (size_t i = 0; i < t.n; i++)
        if (!isalnum((unsigned char)t.s[i]) && t.s[i] != '_')
            return false;
    return true;
}

static enum err_code add_env(struct compose *c, int line, struct text name, const char *value)
{
    if (!is_env_name(name))
        return compose_refuse(c, line, "a variable's name is [A-Za-z_][A-Za-z0-9_]*");
    if (!value)
        value = compose_variable(c, name);
    if (!value)
        return compose_refuse(c, line,
                              "variable %.64s has no value: a provider's own environment "
                              "is not handed on",
                              arena_text(c->arena, name).s);
    for (size_t i = 0; i < c->out->env_count; i++)
        if (strncmp(c->out->env[i], name.s, name.n) == 0 && c->out->env[i][name.n] == '=')
            return compose_refuse(c, line, "variable %.64s is there twice",
                                  arena_text(c->arena, name).s);
    if (c->out->env_count >= COMPOSE_ENV_MAX)
        return compose_refuse(c, line, "more than %d variables", COMPOSE_ENV_MAX);
    c->out->env[c->out->env_count++] =
        arena_printf(c->arena, "%.*s=%s", (int)name.n, name.s, value);
    return E_OK;
}

/* NAME: value of a map, NAME=value of a list; without a value it is the contract's. */
static enum err_code read_env(struct compose *c, const struct yaml_node *e, bool map)
{
    struct text t;
    if (map && yaml_is_null(e))
        return add_env(c, e->key_line, e->key, NULL);
    enum err_code rc = compose_text(c, e, &t);
    if (rc != E_OK)
        return rc;
    if (map)
        return add_env(c, e->key_line, e->key, t.s);
    size_t len = strcspn(t.s, "=");
    return add_env(c, e->line, (struct text){t.s, len}, t.s[len] ? t.s + len + 1 : NULL);
}

enum err_code compose_environment(struct compose *c, const struct yaml_node *n)
{
    enum err_code rc = E_OK;
    if (n->kind == YAML_SCALAR)
        return compose_refuse(c, n->line, "environment is a list or a map");
    for (const struct yaml_node *e = n->first; compose_goes_on(c, rc) && e; e = e->next)
        rc = compose_first(rc, read_env(c, e, n->kind == YAML_MAP));
    return rc;
}

/* ---- network ---- */

static bool is_our_port(const char *s)
{
    return strcmp(s, COMPOSE_PORT) == 0 || strcmp(s, COMPOSE_PORT ":" COMPOSE_PORT) == 0 ||
           strcmp(s, COMPOSE_PORT "/tcp") == 0 ||
           strcmp(s, COMPOSE_PORT ":" COMPOSE_PORT "/tcp") == 0;
}

static enum err_code long_port(struct compose *c, const struct yaml_node *p)
{
    for (const struct yaml_node *m = p->first; m; m = m->next) {
        struct text t;
        bool port = text_is(m->key, "target") || text_is(m->key, "published");
        enum err_code rc = compose_text(c, m, &t);
        if (rc != E_OK)
            return rc;
        if (!(port && strcmp(t.s, COMPOSE_PORT) == 0) &&
            !(text_is(m->key, "protocol") && strcmp(t.s, "tcp") == 0))
            return compose_refuse(c, m->line,
                                  "a port of the host: only ${PORT}:" COMPOSE_PORT
                                  " is carried, and nothing is published outside");
    }
    return E_OK;
}

static enum err_code read_port(struct compose *c, const struct yaml_node *p)
{
    struct text t;
    if (p->kind == YAML_MAP)
        return long_port(c, p);
    enum err_code rc = compose_text(c, p, &t);
    if (rc == E_OK && !is_our_port(t.s))
        rc = compose_refuse(c, p->line,
                            "a port of the host: only ${PORT}:" COMPOSE_PORT
                            " is carried, and nothing is published outside");
    return rc;
}

enum err_code compose_ports(struct compose *c, const struct yaml_node *n)
{
    enum err_code rc = E_OK;
    if (n->kind != YAML_LIST)
        return compose_refuse(c, n->line, "ports is a list");
    for (const struct yaml_node *p = n->first; compose_goes_on(c, rc) && p; p = p->next)
        rc = compose_first(rc, read_port(c, p));
    return rc;
}

static enum err_code read_host(struct compose *c, const struct yaml_node *h, bool map)
{
    struct text t;
    enum err_code rc = compose_text(c, h, &t);
    if (rc != E_OK)
        return rc;
    if (map ? text_is(h->key, "host.docker.internal") && text_is(t, "host-gateway")
            : text_is(t, "host.docker.internal:host-gateway"))
        return E_OK;
    return compose_refuse(c, h->line,
                          "a host's address: the container has no network but "
                          "its own; CALLBACK_URL says where to answer");
}

enum err_code compose_extra_hosts(struct compose *c, const struct yaml_node *n)
{
    enum err_code rc = E_OK;
    if (n->kind == YAML_SCALAR && !yaml_is_null(n))
        return compose_refuse(c, n->line, "extra_hosts is a list or a map");
    for (const struct yaml_node *h = n->first; compose_goes_on(c, rc) && h; h = h->next)
        rc = compose_first(rc, read_host(c, h, n->kind == YAML_MAP));
    return rc;
}

/* ---- volumes ---- */

static bool is_volume_name(struct text t)
{
    if (t.n == 0 || t.n > 64 || !isalnum((unsigned char)t.s[0]))
        return false;
    for (size_t i = 0; i < t.n; i++)
        if (!isalnum((unsigned char)t.s[i]) && !strchr("_.-", t.s[i]))
            return false;
    return true;
}

bool compose_path_ok(const char *path)
{
    if (path[0] != '/' || path[1] == '\0' || strlen(path) > 255)
        return false;
    for (const char *p = path; *p;) {
        size_t n = strcspn(p + 1, "/");
        if (n == 0 || (n == 1 && p[1] == '.') || (n == 2 && p[1] == '.' && p[2] == '.'))
            return false;
        p += n + 1;
    }
    return true;
}

/* Places that are ours, and what lies below them. */
static bool is_taken(const char *path)
{
    static const char *const ours[] = {"/proc", "/sys", "/dev", "/run", "/in", "/out", "/tmp"};
    for (size_t i = 0; i < ARRAY_LEN(ours); i++) {
        size_t n = strlen(ours[i]);
        if (strncmp(path, ours[i], n) == 0 && (path[n] == '\0' || path[n] == '/'))
            return true;
    }
    return false;
}

static enum err_code add_volume(struct compose *c, int line, struct text name, const char *place)
{
    struct compose_service *s = c->out;
    if (!is_volume_name(name))
        return compose_refuse(c, line,
                              "a folder of the provider's machine: only named volumes are "
                              "carried, as read-only caches");
    const char *text = arena_text(c->arena, name).s;
    if (!yaml_member(c->volumes, text))
        return compose_refuse(c, line, "volume %s is not among the file's volumes", text);
    if (!compose_path_ok(place) || is_taken(place))
        return compose_refuse(c, line, "a volume cannot be put there");
    if (s->volume_count >= COMPOSE_VOLUMES_MAX)
        return compose_refuse(c, line, "more than %d volumes", COMPOSE_VOLUMES_MAX);
    for (size_t i = 0; i < s->volume_count; i++)
        if (strcmp(s->volumes[i].place, place) == 0)
            return compose_refuse(c, line, "two volumes in one place");
    s->volumes[s->volume_count++] = (struct compose_volume){text, place};
    return E_OK;
}

/* NAME:/place, NAME:/place:ro (or rw: the cache is read only all the same) */
static enum err_code short_volume(struct compose *c, const struct yaml_node *v)
{
    struct text t;
    enum err_code rc = compose_text(c, v, &t);
    if (rc != E_OK)
        return rc;
    const char *colon = strchr(t.s, ':');
    if (!colon)
        return compose_refuse(c, v->line, "a volume without a name");
    const char *mode = strchr(colon + 1, ':');
    size_t len = mode ? (size_t)(mode - colon) - 1 : strlen(colon + 1);
    if (mode && strcmp(mode, ":ro") != 0 && strcmp(mode, ":rw") != 0)
        return compose_refuse(c, v->line, "a volume's mode is ro or rw");
    return add_volume(c, v->line, (struct text){t.s, (size_t)(colon - t.s)},
                      arena_copy(c->arena, colon + 1, len));
}

static enum err_code long_volume(struct compose *c, const struct yaml_node *v)
{
    struct text source = {0};
    struct text target = {0};
    enum err_code rc = E_OK;
    for (const struct yaml_node *m = v->first; rc == E_OK && m; m = m->next) {
        struct text t;
        rc = compose_text(c, m, &t);
        if (rc != E_OK)
            return rc;
        if (text_is(m->key, "source"))
            source = t;
        else if (text_is(m->key, "target"))
            target = t;
        else if (text_is(m->key, "type") && !text_is(t, "volume"))
            return compose_refuse(c, m->line, "only named volumes are carried, not %.20s", t.s);
        else if (!text_is(m->key, "type") && !text_is(m->key, "read_only"))
            return compose_refuse(c, m->key_line, "volumes.%.40s is not carried", m->key.s);
    }
    return add_volume(c, v->line, source, target.s ? target.s : "");
}

enum err_code compose_volumes(struct compose *c, const struct yaml_node *n)
{
    enum err_code rc = E_OK;
    if (n->kind != YAML_LIST)
        return compose_refuse(c, n->line, "volumes is a list");
    for (const struct yaml_node *v = n->first; compose_goes_on(c, rc) && v; v = v->next)
        rc = compose_first(rc, v->kind == YAML_MAP ? long_volume(c, v) : short_volume(c, v));
    return rc;
}

/* ---- user and folder ---- */

enum err_code compose_user(struct compose *c, const struct yaml_node *n)
{
    struct text t;
    char *end;
    enum err_code rc = compose_text(c, n, &t);
    if (rc != E_OK)
        return rc;
    unsigned long uid = strtoul(t.s, &end, 10);
    unsigned long gid = uid;
    if (isdigit((unsigned char)t.s[0]) && *end == ':' && isdigit((unsigned char)end[1]))
        gid = strtoul(end + 1, &end, 10);
    if (!isdigit((unsigned char)t.s[0]) || *end || uid < 1 || uid > 65534 || gid < 1 || gid > 65534)
        return compose_refuse(c, n->line, "user is a number, 1 to 65534: nobody is root");
    c->out->uid = (uint32_t)uid;
    c->out->gid = (uint32_t)gid;
    return E_OK;
}

enum err_code compose_working_dir(struct compose *c, const struct yaml_node *n)
{
    struct text t;
    enum err_code rc = compose_text(c, n, &t);
    if (rc == E_OK && strcmp(t.s, "/") != 0 && !compose_path_ok(t.s))
        rc = compose_refuse(c, n->line, "working_dir is an absolute path");
    if (rc == E_OK)
        c->out->cwd = t.s;
    return rc;
}
