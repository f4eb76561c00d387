/* SPDX-License-Identifier: MIT */
#include "core/egress.h"

#include <stdlib.h>
#include <string.h>

#define LABEL_MAX 63

static bool is_letter(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One label, in lower case. */
static const char *label_fault(const char *s, size_t n)
{
    if (n == 0)
        return "an empty label";
    if (n > LABEL_MAX)
        return "a label of more than 63 characters";
    if (s[0] == '-' || s[n - 1] == '-')
        return "a label that begins or ends with a hyphen";
    if (n > 3 && memcmp(s, "xn--", 4) == 0)
        return "an internationalised label";
    return NULL;
}

const char *egress_name(struct text name, char *out)
{
    size_t n = name.n;
    size_t begin = 0;
    size_t labels = 0;

    if (n > 0 && name.s[n - 1] == '.')
        n--;
    if (n == 0 || n > EGRESS_NAME_MAX)
        return "a name must have 1 to 253 characters";
    for (size_t i = 0; i < n; i++) {
        char c = name.s[i];

        if (c >= 'A' && c <= 'Z')
            c = (char)(c + ('a' - 'A'));
        if (!is_letter(c) && !is_digit(c) && c != '-' && c != '.')
            return "a name has letters, digits, hyphens and dots only";
        out[i] = c;
    }
    out[n] = '\0';
    for (size_t i = 0; i <= n; i++) {
        const char *fault;

        if (i < n && out[i] != '.')
            continue;
        fault = label_fault(out + begin, i - begin);
        if (fault)
            return fault;
        labels++;
        if (i < n)
            begin = i + 1;
    }
    /* A last label with a digit first is how addresses are written: 10.0.0.1, 127.1, 0x7f.1. */
    if (!is_letter(out[begin]))
        return "an address, not a name";
    return labels < 2 ? "a name must have two labels or more" : NULL;
}

/* "name:443" without its port. @return false when what follows the colon is none */
static bool cut_port(struct text *t, uint16_t *port)
{
    const char *colon = memchr(t->s, ':', t->n);
    size_t digits = colon ? t->n - (size_t)(colon + 1 - t->s) : 0;
    unsigned v = 0;

    *port = 0;
    if (!colon)
        return true;
    if (digits == 0 || digits > 5 || colon[1] == '0')
        return false;
    for (size_t i = 1; i <= digits; i++) {
        if (!is_digit(colon[i]))
            return false;
        v = v * 10 + (unsigned)(colon[i] - '0');
    }
    t->n = (size_t)(colon - t->s);
    *port = (uint16_t)v;
    return v <= UINT16_MAX;
}

const char *egress_host_read(struct text rule, struct egress_host *out)
{
    struct egress_host h = {.below = false};
    const char *fault;

    if (!rule.s || !cut_port(&rule, &h.port))
        return "a port must be a number from 1 to 65535";
    if (rule.n > 2 && memcmp(rule.s, "*.", 2) == 0) {
        h.below = true;
        rule.s += 2;
        rule.n -= 2;
    }
    fault = egress_name(rule, h.name);
    if (!fault)
        *out = h;
    return fault;
}

/* Whether `name` lies below `domain`: on the border of a label, never inside one. */
static bool is_below(const char *name, const char *domain)
{
    size_t n = strlen(name);
    size_t d = strlen(domain);

    return n > d + 1 && name[n - d - 1] == '.' && strcmp(name + n - d, domain) == 0;
}

static bool port_of(const struct egress_host *rule, uint16_t port)
{
    return rule->port ? port == rule->port : port == 80 || port == 443;
}

bool egress_host_allows(const struct egress_host *rule, const char *name, uint16_t port)
{
    if (!port_of(rule, port))
        return false;
    return rule->below ? is_below(name, rule->name) : strcmp(name, rule->name) == 0;
}

bool egress_host_covers(const struct egress_host *rule, const struct egress_host *asked)
{
    bool same = strcmp(rule->name, asked->name) == 0;

    if (asked->port ? !port_of(rule, asked->port) : rule->port != 0)
        return false;
    if (!rule->below)
        return same && !asked->below;
    return is_below(asked->name, rule->name) || (same && asked->below);
}

#define refuse(err, ...) err_set((err), E_BAD_MANIFEST, __VA_ARGS__)

static enum err_code read_hosts(const json_t *list, struct egress *e, struct err *err)
{
    if (!json_is_array(list) || json_array_size(list) == 0 ||
        json_array_size(list) > EGRESS_HOSTS_MAX)
        return refuse(err, "egress.hosts must be a list of 1 to %d hosts", EGRESS_HOSTS_MAX);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        struct text t = {json_string_value(v), json_is_string(v) ? json_string_length(v) : 0};
        const char *fault = t.s ? egress_host_read(t, &e->hosts[i]) : "it must be a string";

        if (fault)
            return refuse(err, "egress.hosts[%zu]: %s", i, fault);
    }
    e->count = json_array_size(list);
    return E_OK;
}

enum err_code egress_read(const json_t *v, struct egress *out, struct err *err)
{
    struct egress e = {.count = 0};
    const json_t *bytes = json_object_get(v, "max_bytes");
    enum err_code rc = E_OK;

    if (!json_is_object(v))
        return refuse(err, "egress must be an object");
    /* Both members are needed, so more than two is one that we would sign and not obey. */
    if (json_object_size(v) > 2)
        return refuse(err, "egress has members other than hosts and max_bytes");
    rc = read_hosts(json_object_get(v, "hosts"), &e, err);
    e.max_bytes = json_integer_value(bytes);
    if (rc == E_OK &&
        (!json_is_integer(bytes) || e.max_bytes < 1 || e.max_bytes > EGRESS_BYTES_MAX))
        rc = refuse(err, "egress.max_bytes must be a whole number, 1 to %lld",
                    (long long)EGRESS_BYTES_MAX);
    if (rc == E_OK)
        *out = e;
    return rc;
}
