/* SPDX-License-Identifier: MIT */
#include "workers/egress_terms.h"

#include <string.h>

static enum err_code read_list(const char *list, const char *option, struct egress_host *out,
                               size_t *n, struct err *err)
{
    *n = 0;
    for (const char *p = list; *p;) {
        size_t len = strcspn(p, ", ");
        const char *fault = NULL;
        if (len > 0 && *n == EGRESS_TERMS_MAX)
            return err_set(err, E_CONFIG, "%s: more than %d hosts", option, EGRESS_TERMS_MAX);
        if (len > 0)
            fault = egress_host_read((struct text){p, len}, &out[*n]);
        if (fault)
            return err_set(err, E_CONFIG, "%s: '%.*s': %s", option, len < 60 ? (int)len : 60, p,
                           fault);
        *n += len > 0;
        p += len + strspn(p + len, ", ");
    }
    return E_OK;
}

enum err_code egress_terms_read(const struct options *o, struct egress_terms *out, struct err *err)
{
    out->listed = strcmp(o->egress, "listed") == 0;
    out->max_bytes = o->egress_mb << 20;
    if (!out->listed && strcmp(o->egress, "none") != 0)
        return err_set(err, E_CONFIG, "OGPU_EGRESS must be none or listed");
    enum err_code rc =
        read_list(o->egress_hosts, "OGPU_EGRESS_HOSTS", out->hosts, &out->count, err);
    if (rc == E_OK)
        rc = read_list(o->private_egress, "OGPU_PRIVATE_EGRESS", out->privates, &out->private_count,
                       err);
    if (rc == E_OK && out->listed && out->count == 0)
        rc = err_set(err, E_CONFIG, "OGPU_EGRESS=listed needs hosts in OGPU_EGRESS_HOSTS");
    return rc;
}

static bool covered(const struct egress_terms *t, const struct egress_host *asked)
{
    for (size_t i = 0; i < t->count; i++) {
        if (egress_host_covers(&t->hosts[i], asked))
            return true;
    }
    return false;
}

enum err_code egress_terms_agree(const struct egress_terms *t, const struct manifest *m,
                                 struct err *err)
{
    struct egress e;
    if (!m->egress)
        return E_OK;
    if (!t->listed)
        return err_set(err, E_CONFIG, "it asks for a network and OGPU_EGRESS is none");
    enum err_code rc = egress_read(m->egress, &e, err);
    if (rc != E_OK)
        return rc;
    for (size_t i = 0; i < e.count; i++) {
        if (!covered(t, &e.hosts[i]))
            return err_set(err, E_CONFIG, "it asks for '%s%.80s', not in OGPU_EGRESS_HOSTS",
                           e.hosts[i].below ? "*." : "", e.hosts[i].name);
    }
    if (e.max_bytes > t->max_bytes)
        return err_set(err, E_CONFIG, "it asks for %lld bytes a run, more than OGPU_EGRESS_MB",
                       (long long)e.max_bytes);
    return E_OK;
}

static json_t *rule_json(const struct egress_host *h)
{
    const char *star = h->below ? "*." : "";
    return h->port ? json_sprintf("%s%s:%u", star, h->name, h->port)
                   : json_sprintf("%s%s", star, h->name);
}

json_t *egress_terms_spec(const struct egress_terms *t, const struct manifest *m)
{
    if (!m->egress)
        return NULL;
    json_t *privates = json_array();
    for (size_t i = 0; i < t->private_count; i++)
        json_array_append_new(privates, rule_json(&t->privates[i]));
    return json_pack("{s:O, s:o, s:O}", "hosts", json_object_get(m->egress, "hosts"), "private",
                     privates, "max_bytes", json_object_get(m->egress, "max_bytes"));
}
