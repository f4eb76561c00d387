/* SPDX-License-Identifier: MIT */
#include "workers/device/edits.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "workers/contain/card.h"

enum err_code device_edits(const struct edits_config *config, const struct device *d, json_t **out,
                           struct err *err)
{
    json_t *edits = NULL;
    enum err_code rc = cdi_edits(config, d, &edits, err);
    if (rc == E_NOT_FOUND)
        rc = driver_edits(config, d, &edits, err);
    if (rc != E_OK)
        return rc;
    if (d->environment == ENV_NVIDIA) {
        edits_set(edits, "NVIDIA_VISIBLE_DEVICES", d->uuid);
        edits_set(edits, "CUDA_VISIBLE_DEVICES", d->uuid);
    }
    *out = edits;
    return E_OK;
}

const char *edits_fix(const struct edits_config *config, const struct device *d)
{
    struct err err;
    json_t *edits = NULL;
    enum err_code rc = cdi_edits(config, d, &edits, &err);
    json_decref(edits);
    return rc == E_NOT_FOUND
               ? driver_fix(config, d)
               : "write the specification anew (nvidia-ctk cdi generate --format=json "
                 "--output=/etc/cdi/nvidia.json) with the standard hooks alone, or take its folder "
                 "out of OGPU_CDI_DIRS: then the driver's own files serve";
}

json_t *edits_new(void)
{
    return json_pack("{s:[], s:[], s:[], s:{}, s:b}", "nodes", "files", "links", "env", "sysfs", 0);
}

enum err_code edits_node(json_t *edits, const char *from, const char *to, struct err *err)
{
    struct stat st;
    if (stat(from, &st) != 0)
        return err_set(err, E_CONFIG, "device node %.100s: %s", from, strerror(errno));
    if (!S_ISCHR(st.st_mode))
        return err_set(err, E_CONFIG, "%.100s is no character device", from);
    /* Host root is nobody in the container, so only what everybody may do can be done there. */
    if ((st.st_mode & 0006) != 0006)
        return err_set(err, E_CONFIG,
                       "device node %.110s is not open to everybody (mode %03o): chmod 666 it",
                       from, (unsigned)st.st_mode & 0777);
    json_array_append_new(json_object_get(edits, "nodes"), json_pack("[s, s]", from, to));
    return E_OK;
}

static void add_link(json_t *edits, const char *name, const char *target)
{
    json_t *links = json_object_get(edits, "links");
    size_t i;
    json_t *row;
    if (strcmp(name, target) == 0)
        return;
    json_array_foreach(links, i, row)
    {
        if (strcmp(json_string_value(json_array_get(row, 0)), name) == 0)
            return;
    }
    json_array_append_new(links, json_pack("[s, s]", name, target));
}

enum err_code edits_library(json_t *edits, const char *path, struct err *err)
{
    char soname[128];
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (!soname_of(path, soname, sizeof(soname)))
        return err_set(err, E_CONFIG, "%.120s is no library with a name of its own", path);
    json_array_append_new(json_object_get(edits, "files"), json_pack("[s, s]", path, name));
    add_link(edits, soname, name);
    if (strncmp(name, "libcuda.so.", 11) == 0)
        add_link(edits, "libcuda.so", name); /* programs open it by this name too */
    return E_OK;
}

void edits_set(json_t *edits, const char *name, const char *value)
{
    json_object_set_new(json_object_get(edits, "env"), name, json_string(value));
}

/* ---- what the image may not say ---- */

static bool path_list_ok(const char *list)
{
    for (const char *p = list;; p++) {
        if (*p != '/')
            return false;
        p = strchrnul(p, ':');
        if (*p == '\0')
            return true;
    }
}

static enum err_code judge(const char *name, size_t n, const char *value, struct err *err)
{
    static const char *const never[] = {"LD_PRELOAD", "LD_AUDIT"};
    static const char path[] = "LD_LIBRARY_PATH";
    for (size_t i = 0; i < ARRAY_LEN(never); i++) {
        if (strlen(never[i]) == n && strncmp(name, never[i], n) == 0 && value[0])
            return err_set(err, E_BAD_MANIFEST, "%s is set: refused beside a card", never[i]);
    }
    if (n == strlen(path) && strncmp(name, path, n) == 0 && value[0] && !path_list_ok(value))
        return err_set(err, E_BAD_MANIFEST,
                       "LD_LIBRARY_PATH has relative or empty entries: refused beside a card");
    return E_OK;
}

enum err_code edits_judge(const char *const *env, size_t n, struct err *err)
{
    enum err_code rc = E_OK;
    for (size_t i = 0; rc == E_OK && i < n; i++) {
        const char *equals = strchr(env[i], '=');
        if (equals)
            rc = judge(env[i], (size_t)(equals - env[i]), equals + 1, err);
    }
    return rc;
}

static bool put(const char **env, size_t room, size_t *n, const char *pair)
{
    size_t name = strcspn(pair, "=") + 1;
    for (size_t i = 0; i < *n; i++) {
        if (strncmp(env[i], pair, name) == 0) {
            env[i] = pair;
            return true;
        }
    }
    if (*n >= room)
        return false;
    env[(*n)++] = pair;
    return true;
}

bool edits_environment(const json_t *edits, const char **env, size_t room, size_t *n,
                       struct arena *a)
{
    static const char path[] = "LD_LIBRARY_PATH=";
    const char *name;
    json_t *value;
    const char *theirs = "";
    bool ok = true;
    if (!edits)
        return true;
    json_object_foreach(json_object_get(edits, "env"), name, value)
    {
        ok = ok && put(env, room, n, arena_printf(a, "%s=%s", name, json_string_value(value)));
    }
    if (json_array_size(json_object_get(edits, "files")) == 0)
        return ok;
    for (size_t i = 0; i < *n; i++) {
        if (strncmp(env[i], path, strlen(path)) == 0)
            theirs = env[i] + strlen(path);
    }
    return ok &&
           put(env, room, n,
               arena_printf(a, "%s%s%s%s", path, CARD_LIBRARIES, theirs[0] ? ":" : "", theirs));
}
