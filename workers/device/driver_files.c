/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workers/device/edits.h"

#define NODES_MAX 3

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

/* @return how many */
static size_t nodes_of(const struct device *d, char out[NODES_MAX][32])
{
    if (d->environment == ENV_AMD) {
        snprintf(out[0], 32, "/dev/kfd");
        snprintf(out[1], 32, "/dev/dri/renderD%d", d->minor);
        return 2;
    }
    snprintf(out[0], 32, "/dev/nvidiactl");
    snprintf(out[1], 32, "/dev/nvidia-uvm");
    snprintf(out[2], 32, "/dev/nvidia%d", d->minor);
    return 3;
}

static enum err_code add_nodes(const struct edits_config *c, const struct device *d, json_t *edits,
                               struct err *err)
{
    char node[NODES_MAX][32];
    size_t n = nodes_of(d, node);
    enum err_code rc = E_OK;
    if (d->minor < 0)
        return err_set(err, E_CONFIG, "the driver does not tell which node belongs to %.50s",
                       d->uuid);
    for (size_t i = 0; rc == E_OK && i < n; i++)
        rc = add_node(c->driver_root, node[i], edits, err);
    return rc;
}

static enum err_code nvidia(const struct edits_config *c, const struct device *d, json_t *edits,
                            struct err *err)
{
    enum err_code rc = add_nodes(c, d, edits, err);
    if (rc == E_OK && d->parent[0])
        rc = add_slice(c, d, edits, err);
    return rc == E_OK ? add_libraries(c->driver_root, d, edits, err) : rc;
}

/* The image brings its own libraries; what it needs is the card, the compute node, and the topology
 * in sysfs. */
static enum err_code amd(const struct edits_config *c, const struct device *d, json_t *edits,
                         struct err *err)
{
    enum err_code rc = add_nodes(c, d, edits, err);
    json_object_set_new(edits, "sysfs", json_true());
    return rc;
}

/* ---- what to do about it ---- */

enum node_state { NODE_GOOD, NODE_MISSING, NODE_CLOSED };

static enum node_state nodes_state(const struct edits_config *c, const struct device *d)
{
    char node[NODES_MAX][32];
    size_t n = nodes_of(d, node);
    for (size_t i = 0; i < n; i++) {
        char path[512];
        struct stat st;
        snprintf(path, sizeof(path), "%s%s", c->driver_root, node[i]);
        if (stat(path, &st) != 0 || !S_ISCHR(st.st_mode))
            return NODE_MISSING;
        if ((st.st_mode & 0006) != 0006)
            return NODE_CLOSED;
    }
    return NODE_GOOD;
}

static bool lacks_slice(const struct edits_config *c, const struct device *d)
{
    struct err err;
    json_t *edits = edits_new();
    bool lacks = d->parent[0] && add_slice(c, d, edits, &err) != E_OK;
    json_decref(edits);
    return lacks;
}

const char *driver_fix(const struct edits_config *c, const struct device *d)
{
    bool is_amd = d->environment == ENV_AMD;
    enum node_state nodes = d->minor < 0 ? NODE_GOOD : nodes_state(c, d);
    if (nodes == NODE_MISSING)
        return is_amd
                   ? "load the module amdgpu with compute (kfd), or name the folder above dev in "
                     "OGPU_DRIVER_ROOT"
                   : "make the driver's nodes: nvidia-modprobe -u -c=0 (one -c= a card), at each "
                     "boot: deploy/systemd/ogpu-cards.service; or name the folder above dev in "
                     "OGPU_DRIVER_ROOT";
    if (nodes == NODE_CLOSED)
        return is_amd ? "chmod 666 it; for good by a rule of udev's: MODE=\"0666\""
                      : "chmod 666 it; for good: options nvidia NVreg_DeviceFileMode=0666 in "
                        "/etc/modprobe.d";
    if (d->minor < 0)
        return is_amd ? "load the module amdgpu: it makes /dev/dri/renderD<N>"
                      : "install NVML of the driver's version (libnvidia-ml.so.1)";
    if (lacks_slice(c, d))
        return "make the slice's nodes: nvidia-modprobe -f "
               "/proc/driver/nvidia/capabilities/gpu<N>/mig/gi<N>/access, then the same with "
               "ci<N>/access behind gi<N>";
    return "install the driver's libraries in exactly its version (libcuda.so.<version>; Debian: "
           "libcuda1), or name the folder above them in OGPU_DRIVER_ROOT";
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
