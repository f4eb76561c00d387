/* SPDX-License-Identifier: MIT */
#include "core/compose.h"

#include "core/compose_parts.h"
#include "core/image_ref.h"
#include "core/manifest.h"

static enum err_code read_image(struct compose *c, const struct yaml_node *n)
{
    struct text t;
    struct text full;
    enum err_code rc = compose_text(c, n, &t);
    if (rc != E_OK)
        return rc;
    if (!image_ref_full(t, c->arena, &full))
        return compose_refuse(c, n->line, "image must be name@sha256:…: a tag may move");
    c->out->reference = full.s;
    c->out->digest = full.s + full.n - IMAGE_DIGEST_LEN;
    return E_OK;
}

static enum err_code read_command(struct compose *c, const struct yaml_node *n)
{
    c->out->has_command = !yaml_is_null(n);
    return c->out->has_command ? compose_words(c, n, c->out->command, &c->out->command_count)
                               : E_OK;
}

static enum err_code read_entrypoint(struct compose *c, const struct yaml_node *n)
{
    c->out->has_entrypoint = !yaml_is_null(n);
    return c->out->has_entrypoint
               ? compose_words(c, n, c->out->entrypoint, &c->out->entrypoint_count)
               : E_OK;
}

static const struct {
    const char *key;
    enum err_code (*read)(struct compose *c, const struct yaml_node *n);
} readers[] = {
    {"image", read_image},
    {"command", read_command},
    {"entrypoint", read_entrypoint},
    {"environment", compose_environment},
    {"ports", compose_ports},
    {"extra_hosts", compose_extra_hosts},
    {"volumes", compose_volumes},
    {"deploy", compose_deploy},
    {"devices", compose_devices},
    {"user", compose_user},
    {"working_dir", compose_working_dir},
};

/* What may be written and changes nothing here: a container lives for its run and is named by us.
 */
static const char *const idle[] = {"container_name",    "restart",     "labels",  "healthcheck",
                                   "stop_grace_period", "stop_signal", "logging", "expose",
                                   "hostname"};

/* Harmless as long as it says what is the case anyway. */
static const struct {
    const char *key;
    const char *value;
} harmless[] = {
    {"privileged", "false"},     {"tty", "false"},
    {"stdin_open", "false"},     {"read_only", "true"},
    {"network_mode", "none"},    {"init", "true"},
    {"init", "false"},           {"pull_policy", "always"},
    {"pull_policy", "missing"},  {"platform", "linux/amd64"},
    {"platform", "linux/arm64"},
};

static const struct {
    const char *key;
    const char *why;
} reasons[] = {
    {"privileged", "it would own the provider's machine"},
    {"network_mode", "the container has its own network, with nothing in it"},
    {"networks", "the container has its own network, with nothing in it"},
    {"pid", "it would see the provider's processes"},
    {"ipc", "it would share memory with the provider's processes"},
    {"userns_mode", "its ids are its own"},
    {"uts", "its name is its own"},
    {"cgroup", "its limits are the manifest's"},
    {"cgroup_parent", "its limits are the manifest's"},
    {"cap_add", "it has no capability, and gets none"},
    {"security_opt", "its confinement is not its own to choose"},
    {"device_cgroup_rules", "it gets no devices of its own choice"},
    {"group_add", "it gets no group of the provider's machine"},
    {"build", "only what has a digest is run: push an image"},
    {"env_file", "the provider has no such file"},
    {"secrets", "a source has none: every provider reads it"},
    {"configs", "the provider has no such file"},
    {"volumes_from", "nothing is shared between containers"},
    {"links", "one container per source is carried"},
    {"depends_on", "one container per source is carried"},
    {"extends", "the file has to say everything itself"},
    {"sysctls", "the kernel is the provider's"},
    {"ulimits", "its limits are the manifest's"},
    {"tmpfs", "its limits are the manifest's: /tmp has tmp_mb"},
    {"shm_size", "its limits are the manifest's: /dev/shm has tmp_mb"},
    {"mem_limit", "its limits are the manifest's"},
    {"cpus", "its limits are the manifest's"},
    {"pids_limit", "its limits are the manifest's"},
    {"runtime", "the provider chooses what runs it"},
};

static bool is_idle(const struct compose *c, const struct yaml_node *n)
{
    if (n->key.n > 2 && memcmp(n->key.s, "x-", 2) == 0)
        return true;
    for (size_t i = 0; i < ARRAY_LEN(idle); i++)
        if (text_is(n->key, idle[i]))
            return true;
    for (size_t i = 0; i < ARRAY_LEN(harmless); i++)
        if (text_is(n->key, harmless[i].key) && n->kind == YAML_SCALAR &&
            text_is(n->text, harmless[i].value))
            return true;
    /* The groups that own AMD's nodes; the nodes' rights are given without them. */
    if (!text_is(n->key, "group_add") || n->kind != YAML_LIST || c->environment != ENV_AMD)
        return false;
    for (const struct yaml_node *m = n->first; m; m = m->next)
        if (!text_is(m->text, "video") && !text_is(m->text, "render"))
            return false;
    return true;
}

static enum err_code read_member(struct compose *c, const struct yaml_node *n)
{
    for (size_t i = 0; i < ARRAY_LEN(readers); i++)
        if (text_is(n->key, readers[i].key))
            return readers[i].read(c, n);
    if (is_idle(c, n))
        return E_OK;
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (text_is(n->key, reasons[i].key))
            return compose_refuse(c, n->key_line, "%s is refused: %s", reasons[i].key,
                                  reasons[i].why);
    return compose_refuse(c, n->key_line, "'%.40s' is not carried", n->key.s);
}

static enum err_code read_service(struct compose *c, const struct yaml_node *n)
{
    enum err_code rc = E_OK;
    if (n->kind != YAML_MAP)
        return compose_refuse(c, n->line, "a service is a map");
    for (const struct yaml_node *m = n->first; compose_goes_on(c, rc) && m; m = m->next)
        rc = compose_first(rc, read_member(c, m));
    if (compose_goes_on(c, rc) && !yaml_member(n, "image"))
        rc = compose_first(rc, compose_refuse(c, n->line, "the service names no image"));
    return rc;
}

/* A volume is a name here and nothing else: no driver, no options, no place of its own. */
static enum err_code check_volumes(struct compose *c, const struct yaml_node *n)
{
    if (n->kind != YAML_MAP && !yaml_is_null(n))
        return compose_refuse(c, n->line, "volumes is a map");
    for (const struct yaml_node *v = n->first; v; v = v->next)
        if (!yaml_is_null(v) && (v->kind != YAML_MAP || v->first))
            return compose_refuse(c, v->line, "a volume's driver or options");
    return E_OK;
}

static enum err_code read_file(struct compose *c, const struct yaml_node *root)
{
    const struct yaml_node *services = yaml_member(root, "services");
    enum err_code rc = E_OK;
    if (!services || services->kind != YAML_MAP || !services->first)
        return compose_refuse(c, root->line, "there are no services");
    for (const struct yaml_node *m = services->first->next; compose_goes_on(c, rc) && m;
         m = m->next)
        rc = compose_first(
            rc, compose_refuse(c, m->key_line,
                               "another service, %.40s: one container per source is carried",
                               m->key.s));
    for (const struct yaml_node *m = root->first; compose_goes_on(c, rc) && m; m = m->next) {
        bool ok = m == services || text_is(m->key, "version") || text_is(m->key, "name") ||
                  (m->key.n > 2 && memcmp(m->key.s, "x-", 2) == 0);
        if (text_is(m->key, "volumes")) {
            c->volumes = m;
            rc = compose_first(rc, check_volumes(c, m));
        } else if (!ok) {
            rc = compose_first(rc,
                               compose_refuse(c, m->key_line, "'%.40s' is not carried", m->key.s));
        }
    }
    return compose_goes_on(c, rc) ? compose_first(rc, read_service(c, services->first)) : rc;
}

void compose_judge(struct text yaml, unsigned environment, struct arena *a,
                   struct compose_problems *out)
{
    struct yaml_node *root;
    struct err err = {.code = E_OK};
    struct compose_service *unused = arena_alloc(a, sizeof(*unused));
    struct compose c = {.environment = environment, .arena = a, .out = unused, .all = out};

    *out = (struct compose_problems){.n = 0};
    *unused = (struct compose_service){.gpus = 0};
    c.err = &err;
    if (yaml_read(yaml, a, &root, &err) != E_OK)
        out->text[out->n++] = arena_printf(a, "%s", err.text);
    else
        (void)read_file(&c, root);
}

enum err_code compose_read(struct text yaml, unsigned environment,
                           const struct compose_values *values, struct arena *a,
                           struct compose_service *out, struct err *err)
{
    struct yaml_node *root;
    struct compose_service s = {.gpus = 0};
    struct compose c = {
        .values = values, .environment = environment, .arena = a, .out = &s, .err = err};
    enum err_code rc = yaml_read(yaml, a, &root, err);
    if (rc == E_OK)
        rc = read_file(&c, root);
    if (rc == E_OK)
        *out = s;
    return rc;
}
