/* SPDX-License-Identifier: MIT */
#include "core/manifest.h"

#include <ctype.h>
#include <stdlib.h>

#include "core/compose.h"
#include "core/image_ref.h"
#include "lib/hash.h"
#include "lib/hex.h"
#include "lib/utf8.h"

#define NAME_MAX_CHARS 100
#define TEXT_MAX       2000
#define FUNCTION_MAX   64
#define ARGUMENTS_MAX  64
#define ARGUMENT_MAX   4096
#define ENV_NAME_MAX   64
#define EXPIRY_MAX_S   2592000

static const struct {
    const char *name;
    size_t offset;
    int64_t min;
    int64_t max;
    bool optional;
} limit_rows[] = {
    {"memory_mb", offsetof(struct manifest_limits, memory_mb), 16, 1048576, false},
    {"pids", offsetof(struct manifest_limits, pids), 1, 32768, false},
    {"cpu_millis", offsetof(struct manifest_limits, cpu_millis), 10, 256000, false},
    {"timeout_s", offsetof(struct manifest_limits, timeout_s), 1, 86400, false},
    {"tmp_mb", offsetof(struct manifest_limits, tmp_mb), 1, 65536, false},
    {"output_bytes", offsetof(struct manifest_limits, output_bytes), 1, 17179869184, false},
    {"output_files", offsetof(struct manifest_limits, output_files), 1, 64, false},
    {"card_memory_mb", offsetof(struct manifest_limits, card_memory_mb), 1, 16777216, true},
};

static const char *const environment_names[] = {"cpu", "nvidia", "amd"}; /* bits 1, 2, 4 */

#define refuse(err, ...) err_set((err), E_BAD_MANIFEST, __VA_ARGS__)

static struct text string_of(const json_t *v)
{
    return (struct text){json_string_value(v), json_is_string(v) ? json_string_length(v) : 0};
}

/* Every member of an object must be known: an unknown one would be signed but not obeyed. */
static enum err_code only(const json_t *v, const char *what, const char *const *known, size_t n,
                          struct err *err)
{
    const char *key;
    json_t *member;

    if (!json_is_object(v))
        return refuse(err, "%s must be an object", what);
    json_object_foreach((json_t *)(uintptr_t)v, key, member)
    {
        bool ok = false;

        for (size_t i = 0; i < n && !ok; i++)
            ok = strcmp(known[i], key) == 0;
        if (!ok)
            return refuse(err, "%s has an unknown member '%.40s'", what, key);
    }
    return E_OK;
}

enum err_code environments_read(const json_t *v, unsigned *out, struct err *err)
{
    unsigned mask = 0;

    if (!json_is_array(v) || json_array_size(v) == 0)
        return err_set(err, E_VALIDATION, "environments must name at least one");
    for (size_t i = 0; i < json_array_size(v); i++) {
        struct text name = string_of(json_array_get(v, i));
        unsigned bit = 0;

        for (size_t k = 0; k < ARRAY_LEN(environment_names); k++)
            if (text_is(name, environment_names[k]))
                bit = 1U << k;
        if (bit == 0)
            return err_set(err, E_VALIDATION, "environments are cpu, nvidia and amd");
        if (mask & bit)
            return err_set(err, E_VALIDATION, "environments names one twice");
        mask |= bit;
    }
    *out = mask;
    return E_OK;
}

json_t *environments_json(unsigned mask)
{
    json_t *v = json_array();

    for (size_t k = 0; k < ARRAY_LEN(environment_names); k++)
        if (mask & 1U << k)
            json_array_append_new(v, json_string(environment_names[k]));
    return v;
}

static bool is_hex_lower(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'f')))
            return false;
    return true;
}

static enum err_code read_image(const json_t *v, struct manifest *m, struct err *err)
{
    static const char *const known[] = {"digest", "reference", "blob"};
    const json_t *blob = json_object_get(v, "blob");
    const json_t *reference = json_object_get(v, "reference");
    enum err_code rc = only(v, "image", known, ARRAY_LEN(known), err);

    if (rc != E_OK)
        return rc;
    m->image_digest = string_of(json_object_get(v, "digest"));
    if (!image_digest_ok(m->image_digest))
        return refuse(err, "image.digest must be sha256: and 64 lower-case hex digits");
    if (!blob == !reference)
        return refuse(err, "image needs exactly one of reference and blob");
    if (blob) {
        struct text t = string_of(blob);

        m->has_blob = true;
        if (t.n != 64 || !is_hex_lower(t.s, t.n) || !hex_decode(t.s, t.n, m->blob.b, 32))
            return refuse(err, "image.blob must be 64 lower-case hex digits");
        return E_OK;
    }
    m->reference = string_of(reference);
    if (!image_ref_ok(m->reference))
        return refuse(err, "image.reference must be registry/name@sha256:…");
    if (memcmp(m->reference.s + m->reference.n - IMAGE_DIGEST_LEN, m->image_digest.s,
               IMAGE_DIGEST_LEN) != 0)
        return refuse(err, "image.reference names another digest than image.digest");
    return E_OK;
}

static enum err_code read_limits(const json_t *v, struct manifest_limits *out, struct err *err)
{
    const char *known[ARRAY_LEN(limit_rows)];
    enum err_code rc;

    for (size_t i = 0; i < ARRAY_LEN(limit_rows); i++)
        known[i] = limit_rows[i].name;
    rc = only(v, "limits", known, ARRAY_LEN(known), err);
    for (size_t i = 0; i < ARRAY_LEN(limit_rows) && rc == E_OK; i++) {
        const json_t *member = json_object_get(v, limit_rows[i].name);
        json_int_t n = json_integer_value(member);

        if (!member && limit_rows[i].optional)
            continue;
        if (!json_is_integer(member) || n < limit_rows[i].min || n > limit_rows[i].max)
            return refuse(err, "limits.%s must be a whole number, %lld to %lld", limit_rows[i].name,
                          (long long)limit_rows[i].min, (long long)limit_rows[i].max);
        *(int64_t *)(void *)((char *)out + limit_rows[i].offset) = n;
    }
    return rc;
}

static bool is_name(const char *s, size_t n, size_t max, const char *also)
{
    if (n == 0 || n > max || !(isalpha((unsigned char)s[0]) || s[0] == '_'))
        return false;
    for (size_t i = 1; i < n; i++)
        if (!isalnum((unsigned char)s[i]) && s[i] != '_' && !strchr(also, s[i]))
            return false;
    return true;
}

static enum err_code read_command(const json_t *v, struct err *err)
{
    if (!json_is_array(v) || json_array_size(v) == 0 || json_array_size(v) > ARGUMENTS_MAX)
        return refuse(err, "command must be a list of 1 to %d strings", ARGUMENTS_MAX);
    for (size_t i = 0; i < json_array_size(v); i++) {
        struct text t = string_of(json_array_get(v, i));

        if (!t.s || t.n > ARGUMENT_MAX)
            return refuse(err, "command[%zu] must be a string of at most %d bytes", i,
                          ARGUMENT_MAX);
    }
    return E_OK;
}

static enum err_code read_env(const json_t *v, struct err *err)
{
    const char *key;
    json_t *member;

    if (!json_is_object(v) || json_object_size(v) > ARGUMENTS_MAX)
        return refuse(err, "env must be an object of at most %d strings", ARGUMENTS_MAX);
    json_object_foreach((json_t *)(uintptr_t)v, key, member)
    {
        if (!is_name(key, strlen(key), ENV_NAME_MAX, ""))
            return refuse(err, "env has a name that is not [A-Za-z_][A-Za-z0-9_]*");
        if (!json_is_string(member) || json_string_length(member) > ARGUMENT_MAX)
            return refuse(err, "env.%.64s must be a string of at most %d bytes", key, ARGUMENT_MAX);
    }
    return E_OK;
}

static enum err_code read_contract(const json_t *v, struct manifest *m, struct err *err)
{
    struct text t = string_of(v);

    if (text_is(t, "exec"))
        m->contract = CONTRACT_EXEC;
    else if (text_is(t, "http"))
        m->contract = CONTRACT_HTTP;
    else
        return refuse(err, "contract must be exec or http");
    return E_OK;
}

/* A path of the service that answers 200 once it can take work. */
static enum err_code read_readiness(const json_t *v, struct manifest *m, struct err *err)
{
    struct text t = string_of(v);

    if (!v)
        return E_OK;
    if (m->contract != CONTRACT_HTTP)
        return refuse(err, "readiness is for the http contract");
    if (t.n < 2 || t.n > 64 || t.s[0] != '/' || !is_name(t.s + 1, t.n - 1, 63, ".-/"))
        return refuse(err, "readiness must be a path like /readiness");
    m->readiness = t;
    return E_OK;
}

/* name, description, function: texts with a length. */
static enum err_code read_texts(const json_t *v, struct manifest *m, struct err *err)
{
    const json_t *text = json_object_get(v, "description");
    const json_t *function = json_object_get(v, "function");

    m->name = string_of(json_object_get(v, "name"));
    if (m->name.n == 0 || m->name.n > 4 * NAME_MAX_CHARS)
        return refuse(err, "name must be a string of 1 to %d characters", NAME_MAX_CHARS);
    if (!utf8_line(m->name.s, m->name.n))
        return refuse(err, "name must be " UTF8_LINE_WHAT);
    if (text && (!json_is_string(text) || json_string_length(text) > 4 * TEXT_MAX))
        return refuse(err, "description must be a string of at most %d characters", TEXT_MAX);
    if (!function)
        return E_OK;
    m->function = string_of(function);
    if (!m->function.s || !is_name(m->function.s, m->function.n, FUNCTION_MAX, ".-"))
        return refuse(err, "function must be [A-Za-z_][A-Za-z0-9_.-]*, at most %d", FUNCTION_MAX);
    return E_OK;
}

static enum err_code read_terms(const json_t *v, struct manifest *m, struct err *err)
{
    const json_t *reward = json_object_get(v, "min_reward");
    const json_t *expiry = json_object_get(v, "max_expiry_s");
    json_int_t s = json_integer_value(expiry);

    m->min_reward = wei_from_u64(1);
    if (reward && (!wei_parse(string_of(reward), &m->min_reward) || wei_is_zero(m->min_reward)))
        return refuse(err, "min_reward must be a decimal string of at least 1 wei");
    m->max_expiry_s = MANIFEST_EXPIRY_DEFAULT_S;
    if (!expiry)
        return E_OK;
    if (!json_is_integer(expiry) || s < 1 || s > EXPIRY_MAX_S)
        return refuse(err, "max_expiry_s must be a whole number, 1 to %d", EXPIRY_MAX_S);
    m->max_expiry_s = s;
    return E_OK;
}

struct text manifest_compose(const struct manifest *m, unsigned environment)
{
    for (size_t k = 0; m->compose && k < ARRAY_LEN(environment_names); k++)
        if (environment == 1U << k)
            return string_of(json_object_get(m->compose, environment_names[k]));
    return text_of(NULL);
}

static enum err_code read_file(struct text yaml, size_t k, struct err *err)
{
    struct arena *a = arena_new();
    struct err inner = {.code = E_OK};
    struct compose_service service;
    enum err_code rc = compose_read(yaml, 1U << k, NULL, a, &service, &inner);

    if (rc != E_OK)
        rc = refuse(err, "compose.%s, %.200s", environment_names[k], inner.text);
    arena_free(a);
    return rc;
}

/* One compose file per environment, as OpenGPU's source metadata has it; "" is for "not supported".
 * The texts themselves are in the manifest: what lies behind an address may change. */
static enum err_code read_compose(const json_t *v, struct manifest *m, struct err *err)
{
    enum err_code rc = only(v, "compose", environment_names, ARRAY_LEN(environment_names), err);
    unsigned mask = 0;

    for (size_t k = 0; rc == E_OK && k < ARRAY_LEN(environment_names); k++) {
        const json_t *file = json_object_get(v, environment_names[k]);
        struct text yaml = string_of(file);

        if (file && !json_is_string(file))
            return refuse(err, "compose.%s must be the text of a compose file",
                          environment_names[k]);
        if (yaml.n == 0)
            continue;
        rc = read_file(yaml, k, err);
        mask |= 1U << k;
    }
    if (rc == E_OK && mask != m->environments)
        return refuse(err, "compose must have a file for each of environments, and no other");
    if (rc == E_OK && m->contract != CONTRACT_HTTP)
        return refuse(err, "contract must be http: a compose file describes a service");
    if (rc == E_OK && (m->command || m->env))
        return refuse(err, "command and env belong into the compose files");
    m->compose = v;
    return rc;
}

/* Where the software is: an image, or compose files that name theirs. */
static enum err_code read_software(const json_t *v, struct manifest *m, struct err *err)
{
    const json_t *image = json_object_get(v, "image");
    const json_t *compose = json_object_get(v, "compose");

    if (!image == !compose)
        return refuse(err, "the manifest needs exactly one of image and compose");
    return image ? read_image(image, m, err) : read_compose(compose, m, err);
}

/* Hosts behind the provider's proxy; without the member there is no network. */
static enum err_code read_egress(const json_t *v, struct manifest *m, struct err *err)
{
    struct egress unused;

    m->egress = v;
    return v ? egress_read(v, &unused, err) : E_OK;
}

enum err_code manifest_read(const json_t *v, struct manifest *out, struct err *err)
{
    static const char *const known[] = {"name",         "description", "contract",     "image",
                                        "compose",      "function",    "environments", "command",
                                        "env",          "readiness",   "limits",       "min_reward",
                                        "max_expiry_s", "egress"};
    struct manifest m = {.has_blob = false};
    enum err_code rc = only(v, "the manifest", known, ARRAY_LEN(known), err);

    m.command = json_object_get(v, "command");
    m.env = json_object_get(v, "env");
    if (rc == E_OK)
        rc = read_texts(v, &m, err);
    if (rc == E_OK)
        rc = read_contract(json_object_get(v, "contract"), &m, err);
    if (rc == E_OK && environments_read(json_object_get(v, "environments"), &m.environments, err))
        rc = refuse(err, "environments must be a list of cpu, nvidia, amd, each at most once");
    if (rc == E_OK)
        rc = read_software(v, &m, err);
    if (rc == E_OK)
        rc = read_readiness(json_object_get(v, "readiness"), &m, err);
    if (rc == E_OK && m.command)
        rc = read_command(m.command, err);
    if (rc == E_OK && m.env)
        rc = read_env(m.env, err);
    if (rc == E_OK)
        rc = read_limits(json_object_get(v, "limits"), &m.limits, err);
    if (rc == E_OK)
        rc = read_egress(json_object_get(v, "egress"), &m, err);
    if (rc == E_OK)
        rc = read_terms(v, &m, err);
    if (rc == E_OK)
        *out = m;
    return rc;
}

enum err_code manifest_canonical(const json_t *v, struct arena *a, struct text *text,
                                 struct digest *hash, struct err *err)
{
    enum err_code rc = json_canonical(v, a, text, err);

    if (rc == E_OK)
        *hash = sha256(text->s, text->n);
    return rc;
}
