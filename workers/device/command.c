/* SPDX-License-Identifier: MIT */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "workers/commands.h"
#include "workers/device/book.h"
#include "workers/device/print.h"
#include "workers/device/quarantine.h"

static const char usage[] = "usage: ogpu-worker devices [--json] [options]\n"
                            "       ogpu-worker devices clear UUID [options]\n";

static enum err_code look(const struct options *o, struct device_list *list, struct err *err)
{
    struct device_finder f = {.simulate = o->simulate_gpu, .sys_root = o->sys_root};
    device_finder_open(&f);
    enum err_code rc = device_finder_scan(&f, list, err);
    device_finder_close(&f);
    return rc;
}

static void folder_of(const struct options *o, char *out, size_t size)
{
    snprintf(out, size, "%.300s/devices", o->work_dir);
}

static void print_row(const struct device *d, enum device_state state,
                      const struct device_fault *fault, FILE *to)
{
    fprintf(to, "device  %s  %s  %" PRId64 " MiB", device_environment_word(d->environment), d->name,
            d->memory_mb);
    if (d->environment == ENV_CPU)
        fprintf(to, "  %" PRId64 " cores", d->cores);
    else
        fprintf(to, "  %s%s%s%s%s  %s", d->uuid, d->parent[0] ? "  slice of " : "", d->parent,
                d->driver[0] ? "  driver " : "", d->driver, device_state_word(state));
    fputc('\n', to);
    if (state == DEVICE_QUARANTINED)
        fprintf(to,
                "        %s: %s\n        to fix: see to the card, then: ogpu-worker devices clear "
                "%s\n",
                fault->code, fault->text, d->uuid);
}

bool devices_print(const struct options *o, FILE *to, struct err *err)
{
    static struct device_list list;
    char dir[320];
    if (look(o, &list, err) != E_OK)
        return false;
    folder_of(o, dir, sizeof(dir));
    for (size_t i = 0; i < list.n; i++) {
        struct device_fault fault = {.at_us = 0};
        enum device_state state = device_state_now(dir, o->device_locks, &list.row[i], &fault);
        print_row(&list.row[i], state, &fault, to);
    }
    return true;
}

json_t *devices_json(const struct options *o, struct err *err)
{
    static struct device_list list;
    char dir[320];
    if (look(o, &list, err) != E_OK)
        return NULL;
    folder_of(o, dir, sizeof(dir));
    json_t *a = json_array();
    for (size_t i = 0; i < list.n; i++) {
        struct device_fault fault = {.at_us = 0};
        enum device_state state = device_state_now(dir, o->device_locks, &list.row[i], &fault);
        json_array_append_new(a, device_state_json(&list.row[i], state, &fault));
    }
    return a;
}

static enum err_code print_json(const struct options *o, struct err *err)
{
    json_t *a = devices_json(o, err);
    if (!a)
        return err->code;
    json_t *v = json_pack("{s:o}", "devices", a);
    enum err_code rc =
        json_dumpf(v, stdout, JSON_INDENT(2)) == 0 ? E_OK : err_set(err, E_IO, "cannot print");
    putchar('\n');
    json_decref(v);
    return rc;
}

int command_devices(int argc, char **argv)
{
    struct options o = {0};
    struct err err = {0};
    char dir[320];
    const char *clear = NULL;
    bool json = false;
    if (argc > 0 && strcmp(argv[0], "clear") == 0) {
        if (argc < 2) {
            fputs(usage, stderr);
            return 2;
        }
        clear = argv[1];
        argc -= 2;
        argv += 2;
    } else if (argc > 0 && strcmp(argv[0], "--json") == 0) {
        json = true;
        argc--;
        argv++;
    }
    enum err_code rc = options_load(options_devices, options_devices_count, argc, argv, &o, &err);
    if (rc == E_OK && clear) {
        folder_of(&o, dir, sizeof(dir));
        rc = quarantine_clear(dir, clear, &err);
    } else if (rc == E_OK && json) {
        rc = print_json(&o, &err);
    } else if (rc == E_OK) {
        rc = devices_print(&o, stdout, &err) ? E_OK : err.code;
    }
    if (rc != E_OK)
        fprintf(stderr, "ogpu-worker: %s\n", err.text);
    return rc == E_OK ? 0 : rc == E_CONFIG ? 2 : 1;
}
