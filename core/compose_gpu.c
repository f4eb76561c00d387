/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "core/compose_parts.h"
#include "core/manifest.h"

/* How compose files ask for cards: NVIDIA by a reservation, AMD by its device nodes. */

#define GPUS_MAX 64

static enum err_code wrong_file(struct compose *c, int line, const char *kind)
{
    return compose_refuse(c, line, "%s cards are reserved in another environment's file", kind);
}

static enum err_code capabilities(struct compose *c, const struct yaml_node *n)
{
    enum err_code rc = E_OK;
    if (n->kind != YAML_LIST)
        return compose_refuse(c, n->line, "capabilities is a list");
    for (const struct yaml_node *m = n->first; rc == E_OK && m; m = m->next) {
        struct text t;
        rc = compose_text(c, m, &t);
        if (rc == E_OK && !text_is(t, "gpu") && !text_is(t, "compute") && !text_is(t, "utility"))
            rc = compose_refuse(c, m->line, "capability %.20s is not carried", t.s);
    }
    return rc;
}

static enum err_code read_count(struct compose *c, const struct yaml_node *n, int *count)
{
    struct text t;
    char *end;
    enum err_code rc = compose_text(c, n, &t);
    if (rc != E_OK)
        return rc;
    long v = strtol(t.s, &end, 10);
    if (!text_is(t, "all") && (t.n == 0 || *end || v < 1 || v > GPUS_MAX))
        return compose_refuse(c, n->line, "count is all, or 1 to %d", GPUS_MAX);
    *count = text_is(t, "all") ? -1 : (int)v;
    return E_OK;
}

/* ['0', '1']: how many. Which ones is the provider's to say, and a card's UUID is one machine's. */
static enum err_code read_ids(struct compose *c, const struct yaml_node *n, int *count)
{
    int ids = 0;
    if (n->kind != YAML_LIST || !n->first)
        return compose_refuse(c, n->line, "device_ids is a list");
    for (const struct yaml_node *m = n->first; m; m = m->next, ids++) {
        struct text t;
        enum err_code rc = compose_text(c, m, &t);
        if (rc != E_OK)
            return rc;
        if (t.n == 0 || t.n > 2 || strspn(t.s, "0123456789") != t.n)
            return compose_refuse(
                c, m->line, "a card of one machine: device_ids are numbers, and say how many");
        for (const struct yaml_node *k = n->first; k != m; k = k->next)
            if (text_is(k->text, t.s))
                return compose_refuse(c, m->line, "card %s is there twice", t.s);
    }
    *count = ids;
    return E_OK;
}

static enum err_code read_driver(struct compose *c, const struct yaml_node *n)
{
    struct text t;
    enum err_code rc = compose_text(c, n, &t);
    return rc == E_OK && !text_is(t, "nvidia") ? compose_refuse(c, n->line, "driver is nvidia")
                                               : rc;
}

static enum err_code reserve(struct compose *c, const struct yaml_node *n)
{
    enum err_code rc = E_OK;
    int count = -1;
    if (yaml_member(n, "count") && yaml_member(n, "device_ids"))
        return compose_refuse(c, yaml_member(n, "device_ids")->key_line,
                              "count and device_ids: one of them");
    for (const struct yaml_node *m = n->first; compose_goes_on(c, rc) && m; m = m->next) {
        enum err_code now;
        if (text_is(m->key, "capabilities"))
            now = capabilities(c, m);
        else if (text_is(m->key, "driver"))
            now = read_driver(c, m);
        else if (text_is(m->key, "count"))
            now = read_count(c, m, &count);
        else if (text_is(m->key, "device_ids"))
            now = read_ids(c, m, &count);
        else
            now = compose_refuse(c, m->key_line, "a reservation's %.30s is not carried", m->key.s);
        rc = compose_first(rc, now);
    }
    c->out->gpus = count;
    return rc;
}

static enum err_code reservations(struct compose *c, const struct yaml_node *n)
{
    for (const struct yaml_node *m = n->first; m; m = m->next) {
        if (!text_is(m->key, "devices"))
            return compose_refuse(c, m->key_line,
                                  "deploy…reservations.%.30s is not carried: the manifest's limits "
                                  "say what a run may use",
                                  m->key.s);
        if (m->kind != YAML_LIST || !m->first || m->first->next || m->first->kind != YAML_MAP)
            return compose_refuse(c, m->line, "exactly one reservation is wanted here");
        if (c->environment != ENV_NVIDIA)
            return wrong_file(c, m->key_line, "NVIDIA");
        enum err_code rc = reserve(c, m->first);
        if (rc != E_OK)
            return rc;
    }
    return E_OK;
}

enum err_code compose_deploy(struct compose *c, const struct yaml_node *n)
{
    const struct yaml_node *resources = yaml_member(n, "resources");
    const struct yaml_node *reserved = yaml_member(resources, "reservations");
    if (n->kind != YAML_MAP)
        return compose_refuse(c, n->line, "deploy is a map");
    enum err_code rc = E_OK;
    for (const struct yaml_node *m = n->first; compose_goes_on(c, rc) && m; m = m->next)
        if (m != resources)
            rc = compose_first(
                rc, compose_refuse(c, m->key_line, "deploy.%.40s is not carried", m->key.s));
    const struct yaml_node *first = resources ? resources->first : NULL;
    for (const struct yaml_node *m = first; compose_goes_on(c, rc) && m; m = m->next)
        if (m != reserved)
            rc = compose_first(
                rc, compose_refuse(c, m->key_line,
                                   "deploy.resources.%.30s is not carried: the manifest's limits "
                                   "say what a run may use",
                                   m->key.s));
    bool on = reserved && compose_goes_on(c, rc);
    return on ? compose_first(rc, reservations(c, reserved)) : rc;
}

/* /dev/kfd and /dev/dri are how an AMD card is asked for; no other node is anybody's. */
enum err_code compose_devices(struct compose *c, const struct yaml_node *n)
{
    if (n->kind != YAML_LIST)
        return compose_refuse(c, n->line, "devices is a list");
    for (const struct yaml_node *d = n->first; d; d = d->next) {
        struct text t;
        enum err_code rc = compose_text(c, d, &t);
        if (rc != E_OK)
            return rc;
        bool amd = text_is(t, "/dev/kfd") || text_is(t, "/dev/dri") ||
                   text_is(t, "/dev/kfd:/dev/kfd") || text_is(t, "/dev/dri:/dev/dri");
        if (!amd)
            return compose_refuse(c, d->line, "a device of the provider's machine");
        if (c->environment != ENV_AMD)
            return wrong_file(c, d->line, "AMD");
        c->out->gpus = -1;
    }
    return E_OK;
}
