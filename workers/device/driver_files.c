/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "workers/device/edits.h"

/* Where distributions put the driver's 64 bit libraries. */
static const char *const folders[] = {"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
                                      "/usr/lib64", "/usr/lib", "/usr/lib/wsl/lib"};

/* What computing needs; the first must be there. All carry the driver's exact version. */
static const char *const libraries[] = {"libcuda.so", "libnvidia-ml.so",
                                        "libnvidia-ptxjitcompiler.so", "libnvidia-nvvm.so",
                                        "libnvidia-gpucomp.so"};

static bool find_library(const char *root, const char *name, const char *version, char *out,
                         size_t size)
{
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        snprintf(out, size, "%s%s/%s.%s", root, folders[i], name, version);
        if (access(out, R_OK) == 0)
            return true;
    }
    return false;
}

static enum err_code add_libraries(const char *root, const struct device *d, json_t *edits,
                                   struct err *err)
{
    char path[512];
    if (!d->driver[0])
        return err_set(err, E_CONFIG, "the driver does not tell its version");
    for (size_t i = 0; i < ARRAY_LEN(libraries); i++) {
        if (find_library(root, libraries[i], d->driver, path, sizeof(path))) {
            enum err_code rc = edits_library(edits, path, err);
            if (rc != E_OK)
                return rc;
        } else if (i == 0) {
            return err_set(err, E_CONFIG, "%s.%s is in none of the usual folders below %s/",
                           libraries[i], d->driver, root);
        }
    }
    return E_OK;
}

static enum err_code add_node(const char *root, const char *to, json_t *edits, struct err *err)
{
    char from[512];
    snprintf(from, sizeof(from), "%s%s", root, to);
    return edits_node(edits, from, to, err);
}

/* The driver writes a line "DeviceFileMinor: 12" for each right that a slice needs. */
static enum err_code add_capability(const struct edits_config *c, const char *file, json_t *edits,
                                    struct err *err)
{
    char path[512];
    char line[128];
    int minor = -1;
    snprintf(path, sizeof(path), "%s/proc/driver/nvidia/capabilities/%s", c->sys_root, file);
    FILE *f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f)) {
        if (strncmp(line, "DeviceFileMinor:", 16) == 0)
            minor = (int)strtol(line + 16, NULL, 10);
    }
    if (f)
        fclose(f);
    if (minor < 0)
        return err_set(err, E_CONFIG, "%.120s does not tell the slice's device node", path);
    snprintf(path, sizeof(path), "/dev/nvidia-caps/nvidia-cap%d", minor);
    return add_node(c->driver_root, path, edits, err);
}

static enum err_code add_slice(const struct edits_config *c, const struct device *d, json_t *edits,
                               struct err *err)
{
    char file[128];
    snprintf(file, sizeof(file), "gpu%d/mig/gi%d/access", d->minor, d->gpu_instance);
    enum err_code rc = add_capability(c, file, edits, err);
    if (rc != E_OK)
        return rc;
    snprintf(file, sizeof(file), "gpu%d/mig/gi%d/ci%d/access", d->minor, d->gpu_instance,
             d->compute_instance);
    return add_capability(c, file, edits, err);
}

static enum err_code nvidia(const struct edits_config *c, const struct device *d, json_t *edits,
                            struct err *err)
{
    char card[32];
    if (d->minor < 0)
        return err_set(err, E_CONFIG, "the driver does not tell which node belongs to %.50s",
                       d->uuid);
    snprintf(card, sizeof(card), "/dev/nvidia%d", d->minor);
    const char *const nodes[] = {"/dev/nvidiactl", "/dev/nvidia-uvm", card};
    enum err_code rc = E_OK;
    for (size_t i = 0; rc == E_OK && i < ARRAY_LEN(nodes); i++)
        rc = add_node(c->driver_root, nodes[i], edits, err);
    if (rc == E_OK && d->parent[0])
        rc = add_slice(c, d, edits, err);
    return rc == E_OK ? add_libraries(c->driver_root, d, edits, err) : rc;
}

/* The image brings its own libraries; what it needs is the card, the compute node, and the topology
 * in sysfs. */
static enum err_code amd(const struct edits_config *c, const struct device *d, json_t *edits,
                         struct err *err)
{
    char card[32];
    if (d->minor < 0)
        return err_set(err, E_CONFIG, "%.50s has no render node", d->uuid);
    snprintf(card, sizeof(card), "/dev/dri/renderD%d", d->minor);
    enum err_code rc = add_node(c->driver_root, "/dev/kfd", edits, err);
    if (rc == E_OK)
        rc = add_node(c->driver_root, card, edits, err);
    json_object_set_new(edits, "sysfs", json_true());
    return rc;
}

enum err_code driver_edits(const struct edits_config *config, const struct device *d, json_t **out,
                           struct err *err)
{
    json_t *edits = edits_new();
    enum err_code rc =
        d->environment == ENV_AMD ? amd(config, d, edits, err) : nvidia(config, d, edits, err);
    if (rc == E_OK)
        *out = edits;
    else
        json_decref(edits);
    return rc;
}
