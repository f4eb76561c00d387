/* SPDX-License-Identifier: MIT */
/*
 * Container Device Interface, the part that can be trusted with a stranger's root file system:
 * device nodes, libraries, variables. Hooks are programs that run with the host's rights beside the
 * container's files; none is ever run. Those that only tend to the library cache are not needed,
 * because the libraries get a folder and a path of their own; any other makes its specification
 * refused.
 */
#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "workers/device/edits.h"

/* Hooks that we can do without, by the word behind "nvidia-ctk hook" (or in its name). */
static const struct {
    const char *word;
    const char *why;
} needless[] = {
    {"update-ldcache", "the libraries lie in LD_LIBRARY_PATH"},
    {"create-symlinks", "the links are made from the libraries' own names"},
    {"enable-cuda-compat", "the driver's libraries are used as they are"},
    {"chmod", "our folders are readable already"},
    {"disable-device-node-modification", "no container may make device nodes"},
};

/* Nodes that computing does not need: display, debugging. */
static const char *const idle_nodes[] = {"/dev/nvidia-modeset", "/dev/nvidia-uvm-tools",
                                         "/dev/dri/"};

static const char *member(const json_t *v, const char *name)
{
    return json_string_value(json_object_get(v, name));
}

static enum err_code judge_hook(const json_t *hook, const char *file, struct err *err)
{
    size_t i;
    json_t *arg;
    const char *path = member(hook, "path");
    json_array_foreach(json_object_get(hook, "args"), i, arg)
    {
        for (size_t k = 0; k < ARRAY_LEN(needless); k++) {
            if (json_is_string(arg) && strcmp(json_string_value(arg), needless[k].word) == 0)
                return E_OK;
        }
    }
    return err_set(err, E_CONFIG, "%.80s: hook %.60s is refused: hooks are not run", file,
                   path ? path : "");
}

/* Whether a path names another NVIDIA card than this one. */
static bool is_other_card(const char *path, const struct device *d)
{
    static const char prefix[] = "/dev/nvidia";
    const char *number = path + strlen(prefix);
    return strncmp(path, prefix, strlen(prefix)) == 0 && isdigit((unsigned char)*number) &&
           strtol(number, NULL, 10) != d->minor;
}

static bool is_idle(const char *path)
{
    for (size_t i = 0; i < ARRAY_LEN(idle_nodes); i++) {
        if (strncmp(path, idle_nodes[i], strlen(idle_nodes[i])) == 0)
            return true;
    }
    return false;
}

static enum err_code add_node(json_t *edits, const json_t *node, const struct device *d,
                              const char *file, struct err *err)
{
    const char *to = member(node, "path");
    const char *from = member(node, "hostPath");
    if (!to || strncmp(to, "/dev/", 5) != 0 || strstr(to, "..") || (from && from[0] != '/'))
        return err_set(err, E_CONFIG, "%.80s: device node %.60s is refused: not below /dev", file,
                       to ? to : "");
    if (is_other_card(to, d))
        return err_set(err, E_CONFIG, "%.80s: %.60s belongs to another card", file, to);
    if (is_idle(to) && d->environment == ENV_NVIDIA)
        return E_OK;
    return edits_node(edits, from ? from : to, to, err);
}

/* Libraries are taken, whatever their folder; programs, sockets and settings are not. */
static enum err_code add_mount(json_t *edits, const json_t *mount, const char *file,
                               struct err *err)
{
    struct stat st;
    const char *from = member(mount, "hostPath");
    const char *name = from ? strrchr(from, '/') : NULL;
    if (!from || from[0] != '/' || strstr(from, ".."))
        return err_set(err, E_CONFIG, "%.80s: mount of %.60s is refused: not an absolute path",
                       file, from ? from : "");
    if (strncmp(name, "/lib", 4) != 0 || !strstr(name, ".so"))
        return E_OK;
    if (stat(from, &st) != 0 || !S_ISREG(st.st_mode))
        return err_set(err, E_CONFIG, "%.80s: library %.80s is missing", file, from);
    return edits_library(edits, from, err);
}

static enum err_code add_variable(json_t *edits, const char *pair, const char *file,
                                  struct err *err)
{
    char name[64];
    size_t n = pair ? strcspn(pair, "=") : 0;
    if (n == 0 || n >= sizeof(name) || pair[n] != '=')
        return err_set(err, E_CONFIG, "%.80s: variable %.40s is refused", file, pair ? pair : "");
    memcpy(name, pair, n);
    name[n] = '\0';
    if (strncmp(name, "NVIDIA_", 7) != 0 && strncmp(name, "CUDA_", 5) != 0)
        return err_set(err, E_CONFIG, "%.80s: variable %.40s is refused: not the driver's", file,
                       name);
    edits_set(edits, name, pair + n + 1);
    return E_OK;
}

static enum err_code apply(json_t *edits, const json_t *v, const struct device *d, const char *file,
                           struct err *err)
{
    size_t i;
    json_t *row;
    enum err_code rc = E_OK;
    json_array_foreach(json_object_get(v, "hooks"), i, row)
    {
        if (rc == E_OK)
            rc = judge_hook(row, file, err);
    }
    json_array_foreach(json_object_get(v, "deviceNodes"), i, row)
    {
        if (rc == E_OK)
            rc = add_node(edits, row, d, file, err);
    }
    json_array_foreach(json_object_get(v, "mounts"), i, row)
    {
        if (rc == E_OK)
            rc = add_mount(edits, row, file, err);
    }
    json_array_foreach(json_object_get(v, "env"), i, row)
    {
        if (rc == E_OK)
            rc = add_variable(edits, json_string_value(row), file, err);
    }
    return rc;
}

static bool brings_card_alone(const json_t *entry, const struct device *d)
{
    char own[32];
    bool has = false;
    size_t i;
    json_t *row;
    snprintf(own, sizeof(own), d->environment == ENV_AMD ? "/dev/dri/renderD%d" : "/dev/nvidia%d",
             d->minor);
    json_array_foreach(json_object_get(json_object_get(entry, "containerEdits"), "deviceNodes"), i,
                       row)
    {
        const char *path = member(row, "path");
        if (!path || is_other_card(path, d))
            return false;
        has = has || strcmp(path, own) == 0;
    }
    return has && d->minor >= 0;
}

/* By UUID; by node when entries are named by index, which nobody can rely on. A slice only by
 * UUID: its card's node is in every slice's entry. */
static const json_t *entry_of(const json_t *spec, const struct device *d)
{
    size_t i;
    json_t *entry;
    const json_t *list = json_object_get(spec, "devices");
    json_array_foreach(list, i, entry)
    {
        const char *name = member(entry, "name");
        if (name && strcmp(name, d->uuid) == 0)
            return entry;
    }
    json_array_foreach(list, i, entry)
    {
        if (!d->parent[0] && brings_card_alone(entry, d))
            return entry;
    }
    return NULL;
}

static enum err_code read_spec(const char *file, const struct device *d, json_t **out,
                               struct err *err)
{
    json_error_t why;
    json_t *spec = json_load_file(file, JSON_REJECT_DUPLICATES, &why);
    const char *kind = member(spec, "kind");
    const char *version = member(spec, "cdiVersion");
    const json_t *entry = entry_of(spec, d);
    enum err_code rc = E_OK;
    if (!spec || !kind || !version)
        rc = err_set(err, E_CONFIG, "%.100s is no CDI specification: %.60s", file, why.text);
    else if (!entry)
        rc = err_set(err, E_NOT_FOUND, "%.100s does not tell of this card", file);
    else if (strncmp(version, "0.", 2) != 0 && strncmp(version, "1.", 2) != 0)
        rc = err_set(err, E_CONFIG, "%.100s: cdiVersion %.20s is not known", file, version);
    json_t *edits = rc == E_OK ? edits_new() : NULL;
    if (rc == E_OK)
        rc = apply(edits, json_object_get(spec, "containerEdits"), d, file, err);
    if (rc == E_OK)
        rc = apply(edits, json_object_get(entry, "containerEdits"), d, file, err);
    if (rc == E_OK && d->environment == ENV_AMD)
        json_object_set_new(edits, "sysfs", json_true());
    if (rc == E_OK)
        *out = edits;
    else
        json_decref(edits);
    json_decref(spec);
    return rc;
}

enum err_code cdi_edits(const struct edits_config *config, const struct device *d, json_t **out,
                        struct err *err)
{
    enum err_code rc = err_set(err, E_NOT_FOUND, "no CDI specification tells of this card");
    for (const char *p = config->cdi_dirs; *p && rc == E_NOT_FOUND;) {
        char pattern[512];
        glob_t found;
        size_t n = strcspn(p, ":");
        snprintf(pattern, sizeof(pattern), "%.*s/*.json", (int)n, p);
        if (n > 0 && glob(pattern, 0, NULL, &found) == 0) {
            for (size_t i = 0; i < found.gl_pathc && rc == E_NOT_FOUND; i++)
                rc = read_spec(found.gl_pathv[i], d, out, err);
            globfree(&found);
        }
        p += n + (p[n] == ':');
    }
    return rc;
}
