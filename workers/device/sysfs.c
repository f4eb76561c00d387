/* SPDX-License-Identifier: MIT */
#include "workers/device/sysfs.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define AMD_VENDOR "0x1002"

/* The value of the first line that begins with `key`, behind its colon. */
static bool field(const char *root, const char *file, const char *key, char *out, size_t size)
{
    char path[512];
    char line[4096];
    bool found = false;
    snprintf(path, sizeof(path), "%s%s", root, file);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    while (!found && fgets(line, sizeof(line), f)) {
        char *value = strchr(line, ':');
        if (strncmp(line, key, strlen(key)) != 0 || !value)
            continue;
        value += 1 + strspn(value + 1, " \t");
        value[strcspn(value, "\n")] = '\0';
        snprintf(out, size, "%s", value);
        found = true;
    }
    fclose(f);
    return found;
}

/* What sources ask about; a list of all flags would be a page. */
static void cpu_features(const char *root, char *out, size_t size)
{
    static const char *const asked[] = {"avx2",   "avx512f", "amx_tile", "f16c",
                                        "sha_ni", "asimd",   "sve",      "bf16"};
    char flags[4096];
    size_t used = 0;
    if (!field(root, "/proc/cpuinfo", "flags", flags, sizeof(flags)) &&
        !field(root, "/proc/cpuinfo", "Features", flags, sizeof(flags)))
        return;
    char *rest = flags;
    for (const char *word = strsep(&rest, " "); word; word = strsep(&rest, " ")) {
        for (size_t i = 0; i < ARRAY_LEN(asked); i++) {
            if (strcmp(word, asked[i]) == 0 && used + strlen(word) + 2 < size)
                used += (size_t)snprintf(out + used, size - used, "%s%s", used ? " " : "", word);
        }
    }
}

struct device sysfs_cpu(const char *root)
{
    struct device d = device_unknown(ENV_CPU);
    struct utsname u;
    char text[64] = "";
    snprintf(d.name, sizeof(d.name), "CPU");
    field(root, "/proc/cpuinfo", "model name", d.name, sizeof(d.name));
    cpu_features(root, d.features, sizeof(d.features));
    if (field(root, "/proc/meminfo", "MemTotal", text, sizeof(text)))
        d.memory_mb = strtoll(text, NULL, 10) / 1024;
    if (uname(&u) == 0)
        snprintf(d.architecture, sizeof(d.architecture), "%.31s", u.machine);
    d.cores = sysconf(_SC_NPROCESSORS_ONLN);
    return d;
}

/* One line of a file below a card's folder, without its end. */
static bool line_of(const char *dir, const char *file, char *out, size_t size)
{
    char path[768];
    snprintf(path, sizeof(path), "%s/%s", dir, file);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    bool ok = fgets(out, (int)size, f) != NULL;
    fclose(f);
    if (ok)
        out[strcspn(out, "\n")] = '\0';
    return ok && out[0];
}

static int64_t count_of(const char *dir, const char *file, int64_t unknown)
{
    char text[64];
    char *end;
    if (!line_of(dir, file, text, sizeof(text)))
        return unknown;
    int64_t v = strtoll(text, &end, 10);
    return end == text ? unknown : v;
}

/* hwmon's folder has a number that nobody can foretell. */
static int64_t sensor(const char *dir, const char *file, int64_t unknown)
{
    char pattern[768];
    glob_t found;
    int64_t v = unknown;
    snprintf(pattern, sizeof(pattern), "%s/hwmon/hwmon*", dir);
    if (glob(pattern, 0, NULL, &found) == 0)
        v = count_of(found.gl_pathv[0], file, unknown);
    globfree(&found);
    return v;
}

/* "16.0 GT/s PCIe" is the fourth generation. */
static int pcie_generation(const char *dir)
{
    static const double rates[] = {2.5, 5.0, 8.0, 16.0, 32.0, 64.0};
    char text[64];
    if (!line_of(dir, "current_link_speed", text, sizeof(text)))
        return 0;
    double rate = strtod(text, NULL);
    for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
        if (rate > rates[i] - 0.1 && rate < rates[i] + 0.1)
            return (int)i + 1;
    }
    return 0;
}

static int render_minor(const char *dir)
{
    char pattern[768];
    glob_t found;
    int minor = -1;
    snprintf(pattern, sizeof(pattern), "%s/drm/renderD*", dir);
    if (glob(pattern, 0, NULL, &found) == 0)
        minor = (int)strtol(strrchr(found.gl_pathv[0], '/') + strlen("/renderD"), NULL, 10);
    globfree(&found);
    return minor;
}

static void read_amd(const char *dir, struct device *d)
{
    char text[64];
    int64_t watt;
    snprintf(d->name, sizeof(d->name), "AMD GPU");
    if (!line_of(dir, "product_name", d->name, sizeof(d->name)) &&
        line_of(dir, "device", text, sizeof(text)))
        snprintf(d->name, sizeof(d->name), "AMD GPU %.20s", text);
    d->memory_mb = count_of(dir, "mem_info_vram_total", 0) >> 20;
    int64_t used = count_of(dir, "mem_info_vram_used", -1);
    d->vitals.memory_used_mb = used >= 0 ? used >> 20 : -1;
    d->vitals.utilization = (int)count_of(dir, "gpu_busy_percent", -1);
    int64_t heat = sensor(dir, "temp1_input", -1);
    d->vitals.temperature_c = heat >= 0 ? (int)(heat / 1000) : -1;
    watt = sensor(dir, "power1_average", sensor(dir, "power1_input", -1)); /* microwatts */
    d->vitals.power_mw = watt >= 0 ? watt / 1000 : -1;
    watt = sensor(dir, "power1_cap", -1);
    d->power_limit_mw = watt >= 0 ? watt / 1000 : -1;
    d->pcie_generation = pcie_generation(dir);
    d->pcie_width = (int)count_of(dir, "current_link_width", 0);
    d->minor = render_minor(dir);
}

void sysfs_amd_cards(const char *root, struct device_list *out)
{
    char pattern[512];
    char vendor[32];
    char unique[40];
    glob_t found;
    snprintf(pattern, sizeof(pattern), "%s/sys/class/drm/card[0-9]*/device", root);
    if (glob(pattern, 0, NULL, &found) != 0)
        return;
    for (size_t i = 0; i < found.gl_pathc && out->n < DEVICES_MAX; i++) {
        const char *dir = found.gl_pathv[i];
        /* card0-DP-1 and its like are outlets of a card; they point to the card, not to PCI */
        if (strchr(dir + strlen(root) + strlen("/sys/class/drm/"), '-') ||
            !line_of(dir, "vendor", vendor, sizeof(vendor)) || strcmp(vendor, AMD_VENDOR) != 0)
            continue;
        struct device d = device_unknown(ENV_AMD);
        char *real = realpath(dir, NULL);
        snprintf(d.bus_id, sizeof(d.bus_id), "%.31s", real ? strrchr(real, '/') + 1 : "");
        free(real);
        read_amd(dir, &d);
        /* Older cards have no number of their own; their place on the bus has to do. */
        if (line_of(dir, "unique_id", unique, sizeof(unique)))
            snprintf(d.uuid, sizeof(d.uuid), "AMD-%.39s", unique);
        else
            snprintf(d.uuid, sizeof(d.uuid), "AMD-PCI-%.31s", d.bus_id);
        snprintf(d.driver, sizeof(d.driver), "amdgpu");
        out->row[out->n++] = d;
    }
    globfree(&found);
}
