/* SPDX-License-Identifier: MIT */
#include "workers/device/simulate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static void text(const json_t *v, const char *name, char *out, size_t size)
{
    const char *s = json_string_value(json_object_get(v, name));
    if (s)
        snprintf(out, size, "%s", s);
}

static int64_t number(const json_t *v, const char *name, int64_t unknown)
{
    const json_t *n = json_object_get(v, name);
    return json_is_integer(n) ? (int64_t)json_integer_value(n) : unknown;
}

static int flag(const json_t *v, const char *name)
{
    const json_t *b = json_object_get(v, name);
    return json_is_boolean(b) ? json_is_true(b) : -1;
}

static int64_t throttle_of(const json_t *list)
{
    int64_t mask = 0;
    if (!json_is_array(list))
        return -1;
    for (unsigned bit = 1; bit <= THROTTLE_APPLICATION; bit <<= 1) {
        json_t *word = device_throttle_json(bit);
        size_t i;
        json_t *v;
        json_array_foreach((json_t *)list, i, v)
        {
            if (json_equal(v, json_array_get(word, 0)))
                mask |= bit;
        }
        json_decref(word);
    }
    return mask;
}

static struct device_vitals vitals_of(const json_t *v)
{
    const json_t *t = json_object_get(v, "telemetry");
    return (struct device_vitals){
        .utilization = (int)number(v, "utilization_percent", -1),
        .memory_used_mb = number(t, "memory_used_mb", -1),
        .temperature_c = (int)number(t, "temperature_c", -1),
        .power_mw = number(t, "power_mw", -1),
        .throttle = throttle_of(json_object_get(t, "throttle")),
        .ecc_corrected = number(t, "ecc_corrected", -1),
        .ecc_uncorrected = number(t, "ecc_uncorrected", -1),
        .process_mb = number(t, "process_mb", -1),
        .processes = (int)number(t, "processes", -1),
    };
}

static bool card_of(const json_t *v, struct device *d)
{
    const char *environment = json_string_value(json_object_get(v, "environment"));
    const json_t *pcie = json_object_get(v, "pcie");
    char capability[16] = "0.0";
    int major;
    int minor;
    *d = device_unknown(environment && strcmp(environment, "amd") == 0 ? ENV_AMD : ENV_NVIDIA);
    text(v, "uuid", d->uuid, sizeof(d->uuid));
    text(v, "name", d->name, sizeof(d->name));
    text(v, "architecture", d->architecture, sizeof(d->architecture));
    text(v, "compute_capability", capability, sizeof(capability));
    if (sscanf(capability, "%d.%d", &major, &minor) == 2) /* NOLINT(cert-err34-c): a test's file */
        d->capability = major * 10 + minor;
    text(v, "driver", d->driver, sizeof(d->driver));
    text(v, "cuda", d->cuda, sizeof(d->cuda));
    text(v, "parent", d->parent, sizeof(d->parent));
    text(pcie, "bus_id", d->bus_id, sizeof(d->bus_id));
    d->pcie_generation = (int)number(pcie, "generation", 0);
    d->pcie_width = (int)number(pcie, "width", 0);
    d->memory_mb = number(v, "memory_mb", 0);
    d->minor = (int)number(v, "minor", -1);
    d->gpu_instance = (int)number(v, "gpu_instance", -1);
    d->compute_instance = (int)number(v, "compute_instance", -1);
    d->power_limit_mw = number(v, "power_limit_mw", -1);
    d->ecc = flag(v, "ecc");
    d->mig = flag(v, "mig");
    d->vitals = vitals_of(v);
    d->simulated = true;
    d->lost = flag(v, "lost") == 1;
    d->xid = (int)number(v, "xid", 0);
    return d->uuid[0] && d->name[0];
}

enum err_code simulate_cards(const char *file, int64_t *taken_ns, struct device_list *out,
                             struct err *err)
{
    struct stat st;
    json_error_t why;
    if (stat(file, &st) != 0)
        return err_set(err, E_CONFIG, "OGPU_SIMULATE_GPU: %.100s: %s", file, strerror(errno));
    json_t *v = json_load_file(file, JSON_REJECT_DUPLICATES, &why);
    const json_t *list = json_object_get(v, "devices");
    if (!json_is_array(list)) {
        json_decref(v);
        return err_set(err, E_CONFIG, "OGPU_SIMULATE_GPU: %.100s is not {\"devices\": […]}", file);
    }
    int64_t now = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    size_t i;
    json_t *row;
    enum err_code rc = E_OK;
    json_array_foreach(list, i, row)
    {
        struct device d;
        if (!card_of(row, &d))
            rc = err_set(err, E_CONFIG, "OGPU_SIMULATE_GPU: device %zu needs uuid and name", i);
        if (now == *taken_ns)
            d.xid = 0;
        if (rc == E_OK && out->n < DEVICES_MAX)
            out->row[out->n++] = d;
    }
    *taken_ns = now;
    json_decref(v);
    return rc;
}
