/* SPDX-License-Identifier: MIT */
#include "workers/checkup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "eth/sign.h"
#include "lib/clock.h"
#include "lib/http.h"
#include "workers/agent/gateways.h"
#include "workers/agent/remote_signer.h"
#include "workers/egress_terms.h"

#define FREE_MIN_MB 1024
#define SKEW_MAX_S  120
#define GATEWAY_MS  5000
#define NOT_SET     "not set"

static void skip(struct preflight_row *r)
{
    r->ok = r->skipped = true;
    snprintf(r->detail, sizeof(r->detail), NOT_SET);
}

/* The nearest folder that exists: the worker makes the last one itself. */
static void existing_folder(const char *path, char out[512])
{
    snprintf(out, 512, "%.500s", path);
    while (access(out, F_OK) != 0 && errno == ENOENT) {
        char *slash = strrchr(out, '/');
        if (!slash || slash == out) {
            snprintf(out, 512, slash ? "/" : ".");
            return;
        }
        *slash = '\0';
    }
}

static void check_folder(const struct options *o, struct preflight_row *r)
{
    char at[512];
    struct statvfs fs;
    *r = (struct preflight_row){.what = "work folder",
                                .fix = "set OGPU_WORK_DIR to a folder that can be written, with 1 "
                                       "GiB free or more (images are cached there)"};
    existing_folder(o->work_dir, at);
    if (access(at, W_OK | X_OK) != 0 || statvfs(at, &fs) != 0) {
        snprintf(r->detail, sizeof(r->detail), "%.100s: %s", at, strerror(errno));
        return;
    }
    unsigned long long mb = (unsigned long long)fs.f_bavail * fs.f_frsize >> 20;
    r->ok = mb >= FREE_MIN_MB;
    snprintf(r->detail, sizeof(r->detail), "%.100s: %llu MiB free", at, mb);
}

static void check_key(const struct options *o, struct preflight_row *r)
{
    struct err err = {0};
    struct signer *s = NULL;
    struct address address;
    char text[ADDRESS_TEXT_MAX];
    bool file = o->key_file[0] != '\0';
    *r =
        (struct preflight_row){.what = "provider key",
                               .fix = "ogpu-worker key FILE makes one; set OGPU_PROVIDER_KEY_FILE, "
                                      "chmod 600 FILE, keep it outside of any shared folder"};
    if (!file && !o->signer_socket[0]) {
        skip(r);
        return;
    }
    if (!file)
        r->fix = "start `ogpu-worker signer` with this socket, as a user that may use it";
    enum err_code rc = file ? signer_load(o->key_file, &s, &err)
                            : remote_signer_address(o->signer_socket, &address, &err);
    r->ok = rc == E_OK;
    if (rc != E_OK) {
        snprintf(r->detail, sizeof(r->detail), "%.150s", err.text);
        return;
    }
    address_format(file ? signer_address(s) : address, text);
    snprintf(r->detail, sizeof(r->detail), "%s", text);
    signer_free(s);
}

static void check_address(const char *value, const char *what, const char *fix,
                          struct preflight_row *r)
{
    struct address address;
    *r = (struct preflight_row){.what = what, .fix = fix};
    if (!value[0]) {
        skip(r);
        return;
    }
    r->ok = address_parse(text_of(value), &address);
    snprintf(r->detail, sizeof(r->detail), "%.60s%s", value, r->ok ? "" : " is no address");
}

/* Which sources that ask for a network would be served. */
static void check_egress(const struct options *o, struct preflight_row *r)
{
    struct err err = {0};
    struct egress_terms t;
    *r = (struct preflight_row){
        .what = "egress",
        .fix = "set OGPU_EGRESS to none, or to listed with names (no addresses) and commas in "
               "OGPU_EGRESS_HOSTS"};
    r->ok = egress_terms_read(o, &t, &err) == E_OK;
    if (!r->ok)
        snprintf(r->detail, sizeof(r->detail), "%.150s", err.text);
    else if (!t.listed)
        snprintf(r->detail, sizeof(r->detail), "none: sources that ask for it are not served");
    else
        snprintf(r->detail, sizeof(r->detail), "%zu hosts, %zu of them may be private, %lld MiB",
                 t.count, t.private_count, (long long)o->egress_mb);
}

/* How far our clock is from the answer's Date; false when it has none. */
static bool skew_of(const struct http_reply *reply, int64_t *out)
{
    int64_t told = http_date(reply->date);
    *out = clock_wall_us() / 1000000 - told;
    return told > 0;
}

static void check_gateway(struct http_client *http, const char *url, struct preflight_row *r,
                          struct preflight_row *clock)
{
    char path[GATEWAY_URL_MAX + 16];
    struct err err = {0};
    struct http_reply reply = {0};
    int64_t skew;
    *r = (struct preflight_row){.what = "gateway",
                                .fix =
                                    "check OGPU_URL, DNS, the firewall's outgoing rules and, with "
                                    "https, the certificate"};
    snprintf(path, sizeof(path), "%s/livez", url);
    struct http_call call = {.method = "GET", .url = path, .timeout_ms = GATEWAY_MS};
    enum err_code rc = http_do(http, &call, &reply, &err);
    r->ok = rc == E_OK && reply.status == 200;
    if (rc != E_OK)
        snprintf(r->detail, sizeof(r->detail), "%.60s: %.90s", url, err.text);
    else
        snprintf(r->detail, sizeof(r->detail), "%.100s answers %d", url, reply.status);
    if (rc == E_OK && skew_of(&reply, &skew)) {
        clock->skipped = false;
        clock->ok = skew > -SKEW_MAX_S && skew < SKEW_MAX_S;
        snprintf(clock->detail, sizeof(clock->detail), "%+lld s from the gateway's",
                 (long long)skew);
    }
    buf_done(&reply.body);
}

/* @return how many rows */
static size_t check_gateways(const struct options *o, struct preflight_row *rows)
{
    struct gateways list;
    struct err err = {0};
    struct preflight_row clock = {.what = "clock",
                                  .ok = true,
                                  .skipped = true,
                                  .detail = "no gateway to compare it with",
                                  .fix = "set it by NTP (chrony, systemd-timesyncd): signatures "
                                         "carry a time until which they hold"};
    size_t n = 0;
    if (!o->url[0]) {
        rows[n] = (struct preflight_row){.what = "gateway", .fix = "set OGPU_URL"};
        skip(&rows[n++]);
    } else if (gateways_read(o->url, &list, &err) != E_OK) {
        rows[n] = (struct preflight_row){.what = "gateway", .fix = "set OGPU_URL to http(s) URLs"};
        snprintf(rows[n++].detail, sizeof(rows[0].detail), "%.150s", err.text);
    } else {
        struct http_client *http = http_client_new();
        for (size_t i = 0; i < list.n; i++)
            check_gateway(http, list.url[i], &rows[n++], &clock);
        http_client_free(http);
    }
    rows[n++] = clock;
    return n;
}

size_t checkup(const struct options *o, struct preflight_row *rows)
{
    size_t n = 0;
    check_folder(o, &rows[n++]);
    check_key(o, &rows[n++]);
    check_address(o->master, "master",
                  "set OGPU_MASTER to the address that earns: 0x and 40 hex digits", &rows[n++]);
    check_address(o->settlement, "settlement contract",
                  "set L1_SETTLEMENT (and L1_CHAIN_ID) to what the gateway's operator publishes",
                  &rows[n++]);
    check_egress(o, &rows[n++]);
    return n + check_gateways(o, rows + n);
}
