/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "eth/address.h"
#include "eth/sign.h"
#include "workers/agent/remote_signer.h"
#include "workers/checkup.h"
#include "workers/commands.h"
#include "workers/device/print.h"
#include "workers/options.h"
#include "workers/preflight.h"

static void print_row(const struct preflight_row *r)
{
    printf("%s  %s: %s\n", r->skipped ? "-     " : r->ok ? "ok    " : "FAILED", r->what, r->detail);
    if (!r->ok)
        printf("        to fix: %s\n", r->fix);
}

static void print_json(const struct options *o, const struct preflight_row *rows, size_t n,
                       bool good)
{
    struct err err;
    json_t *devices = devices_json(o, &err);
    json_t *checks = json_array();
    for (size_t i = 0; i < n; i++) {
        const struct preflight_row *r = &rows[i];
        json_t *v = json_pack("{s:s, s:s, s:s}", "check", r->what, "state",
                              r->skipped ? "skipped"
                              : r->ok    ? "ok"
                                         : "failed",
                              "detail", r->detail);
        if (!r->ok)
            json_object_set_new(v, "fix", json_string(r->fix));
        json_array_append_new(checks, v);
    }
    json_t *v = json_pack("{s:b, s:o, s:o}", "ok", good, "checks", checks, "devices",
                          devices ? devices : json_array());
    json_dumpf(v, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(v);
}

int command_doctor(int argc, char **argv)
{
    struct options o = {0};
    struct err err = {0};
    bool json = argc > 0 && strcmp(argv[0], "--json") == 0;
    if (options_load(options_doctor, options_doctor_count, argc - json, argv + json, &o, &err) !=
        E_OK) {
        fprintf(stderr, "ogpu-worker: %s\n", err.text);
        return 2;
    }
    static struct preflight_row rows[PREFLIGHT_MAX + CHECKUP_MAX + CHECKUP_CARDS_MAX];
    size_t n = preflight(o.runtime, (uint32_t)o.uid_base, rows);
    n += checkup(&o, rows + n);
    n += checkup_cards(&o, rows + n);
    bool good = true;
    for (size_t i = 0; i < n; i++)
        good = good && rows[i].ok;
    if (json) {
        print_json(&o, rows, n, good);
    } else {
        for (size_t i = 0; i < n; i++)
            print_row(&rows[i]);
        (void)devices_print(&o, stdout, &err); /* when nothing can be looked at a row says so */
    }
    return good ? 0 : 1;
}

int command_signer(int argc, char **argv)
{
    struct options o = {0};
    struct signer *s = NULL;
    struct err err = {0};
    enum err_code rc = options_load(options_signer, options_signer_count, argc, argv, &o, &err);
    if (rc == E_OK)
        rc = signer_load(o.key_file, &s, &err);
    if (rc == E_OK)
        rc = remote_signer_serve(o.signer_socket, s, &err);
    if (rc != E_OK)
        fprintf(stderr, "ogpu-worker: %s\n", err.text);
    signer_free(s);
    return rc == E_OK ? 0 : 1;
}

int command_key(int argc, char **argv)
{
    struct signer *s = NULL;
    struct err err = {0};
    char text[ADDRESS_TEXT_MAX];
    if (argc != 1) {
        fputs("usage: ogpu-worker key FILE\n", stderr);
        return 2;
    }
    FILE *f = fopen(argv[0], "re");
    enum err_code rc = f ? signer_load(argv[0], &s, &err) : signer_create(argv[0], &s, &err);
    if (f)
        fclose(f);
    if (rc != E_OK) {
        fprintf(stderr, "ogpu-worker: %s\n", err.text);
        return 1;
    }
    address_format(signer_address(s), text);
    puts(text);
    signer_free(s);
    return 0;
}
