/* SPDX-License-Identifier: MIT */
#include "workers/device/device.h"

#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "workers/device/cuda.h"
#include "workers/device/nvml.h"
#include "workers/device/simulate.h"
#include "workers/device/sysfs.h"

static const struct {
    unsigned bit;
    const char *word;
} throttle_words[] = {
    {THROTTLE_POWER_CAP, "power_cap"},    {THROTTLE_HARDWARE, "hardware"},
    {THROTTLE_THERMAL, "thermal"},        {THROTTLE_POWER_BRAKE, "power_brake"},
    {THROTTLE_APPLICATION, "clocks_set"},
};

struct device device_unknown(unsigned environment)
{
    return (struct device){
        .environment = environment,
        .ecc = -1,
        .mig = -1,
        .gpu_instance = -1,
        .compute_instance = -1,
        .power_limit_mw = -1,
        .minor = -1,
        .vitals = {-1, -1, -1, -1, -1, -1, -1, -1, -1},
    };
}

void device_finder_open(struct device_finder *f)
{
    f->nvml = f->simulate[0] ? NULL : nvml_open(true);
    f->cuda = f->simulate[0] || f->nvml ? NULL : cuda_open();
    f->simulate_ns = 0;
}

void device_finder_close(struct device_finder *f)
{
    nvml_close(f->nvml);
    cuda_close(f->cuda);
    f->nvml = NULL;
    f->cuda = NULL;
}

void device_finder_again(struct device_finder *f)
{
    if (f->simulate[0] || f->nvml)
        return;
    f->nvml = nvml_open(false);
    if (f->nvml) {
        log_info("driver_came", NULL);
        cuda_close(f->cuda);
        f->cuda = NULL;
    } else if (!f->cuda) {
        f->cuda = cuda_open();
    }
}

enum err_code device_finder_scan(struct device_finder *f, struct device_list *out, struct err *err)
{
    out->n = 0;
    out->row[out->n++] = sysfs_cpu(f->sys_root);
    if (f->simulate[0])
        return simulate_cards(f->simulate, &f->simulate_ns, out, err);
    if (f->nvml)
        nvml_cards(f->nvml, out);
    else if (f->cuda)
        cuda_cards(f->cuda, out);
    sysfs_amd_cards(f->sys_root, out);
    return E_OK;
}

bool device_is_card(const struct device *d)
{
    return d->environment != ENV_CPU && d->mig != 1;
}

const char *device_environment_word(unsigned environment)
{
    return environment == ENV_NVIDIA ? "nvidia" : environment == ENV_AMD ? "amd" : "cpu";
}

json_t *device_throttle_json(int64_t mask)
{
    json_t *a = json_array();
    for (size_t i = 0; i < ARRAY_LEN(throttle_words); i++) {
        if (mask > 0 && (mask & throttle_words[i].bit))
            json_array_append_new(a, json_string(throttle_words[i].word));
    }
    return a;
}

static void put_text(json_t *v, const char *name, const char *text)
{
    if (text[0])
        json_object_set_new(v, name, json_string(text));
}

/* Numbers from `least` on are known. */
static void put_number(json_t *v, const char *name, int64_t number, int64_t least)
{
    if (number >= least)
        json_object_set_new(v, name, json_integer(number));
}

static json_t *vitals_json(const struct device_vitals *t)
{
    json_t *v = json_object();
    put_number(v, "memory_used_mb", t->memory_used_mb, 0);
    put_number(v, "temperature_c", t->temperature_c, 0);
    put_number(v, "power_mw", t->power_mw, 0);
    if (t->throttle >= 0)
        json_object_set_new(v, "throttle", device_throttle_json(t->throttle));
    put_number(v, "ecc_corrected", t->ecc_corrected, 0);
    put_number(v, "ecc_uncorrected", t->ecc_uncorrected, 0);
    put_number(v, "processes", t->processes, 0);
    return v;
}

static void put_card(json_t *v, const struct device *d)
{
    char capability[16];
    snprintf(capability, sizeof(capability), "%d.%d", d->capability / 10, d->capability % 10);
    if (d->capability > 0)
        json_object_set_new(v, "compute_capability", json_string(capability));
    put_text(v, "cuda", d->cuda);
    if (d->ecc >= 0)
        json_object_set_new(v, "ecc", json_boolean(d->ecc));
    if (d->mig >= 0)
        json_object_set_new(v, "mig", json_boolean(d->mig));
    put_text(v, "parent", d->parent);
    put_number(v, "power_limit_mw", d->power_limit_mw, 0);
    if (d->bus_id[0]) {
        json_t *pcie = json_pack("{s:s}", "bus_id", d->bus_id);
        put_number(pcie, "generation", d->pcie_generation, 1);
        put_number(pcie, "width", d->pcie_width, 1);
        json_object_set_new(v, "pcie", pcie);
    }
    json_object_set_new(v, "telemetry", vitals_json(&d->vitals));
}

json_t *device_json(const struct device *d)
{
    json_t *v =
        json_pack("{s:s, s:s, s:I}", "environment", device_environment_word(d->environment), "name",
                  d->name[0] ? d->name : "unnamed", "memory_mb", (json_int_t)d->memory_mb);
    put_text(v, "uuid", d->uuid);
    put_text(v, "architecture", d->architecture);
    put_text(v, "features", d->features);
    put_number(v, "cores", d->cores, 1);
    put_text(v, "driver", d->driver);
    put_number(v, "utilization_percent", d->vitals.utilization, 0);
    if (d->environment != ENV_CPU)
        put_card(v, d);
    return v;
}
