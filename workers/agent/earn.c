/* SPDX-License-Identifier: MIT */
/*
 * `earn`: every active source beside what it may bring on this machine. Needs a gateway, and
 * neither a key nor a running worker; a running worker's record is read as it is.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "workers/agent/api.h"
#include "workers/agent/offer.h"
#include "workers/agent/sources.h"
#include "workers/commands.h"
#include "workers/contain/rootless.h"
#include "workers/options.h"

#define LINES_MAX 4096
#define UNSURE    "served if image_mb suits, which is not known here"

/* One source of the answer. */
struct line {
    char id[ID_TEXT_MAX];
    char name[40];
    char why_not[200]; /* "" when it would be served */
    bool unsure;       /* served if its image's size suits: only a worker may ask for that */
    struct expectation x;
};

struct earn {
    struct sources sources;
    struct earnings earnings;
    struct gateways gateways;
    struct stats stats;
    struct api api;
    struct line *lines;
    size_t n;
};

/* A name of a stranger's making, safe to print. */
static void show_name(const json_t *source, char out[40])
{
    const char *name =
        json_string_value(json_object_get(json_object_get(source, "manifest"), "name"));
    snprintf(out, 40, "%.39s", name ? name : "?");
    for (char *c = out; *c; c++) {
        if (*c < ' ' || *c > '~')
            *c = '?';
    }
}

static enum err_code look(void *ctx, const json_t *source, struct err *err)
{
    struct earn *e = ctx;
    struct manifest m;
    struct uuid id;
    struct line *l = &e->lines[e->n];
    enum err_code rc = sources_judge(&e->sources, source, NULL, &id, &m, err);
    if (rc != E_OK && rc != E_CONFIG)
        return rc;
    if (e->n == LINES_MAX)
        return E_OK;
    *l = (struct line){.id = ""};
    id_format(ID_SOURCE, id, l->id);
    show_name(source, l->name);
    l->unsure = rc == E_OK && m.has_blob && predicate_wants_image(&e->sources.predicate);
    if (rc == E_OK && !sources_named(&e->sources, id))
        snprintf(l->why_not, sizeof(l->why_not), "OGPU_SOURCES does not name it");
    else if (rc == E_OK)
        l->x = earnings_expect(&e->earnings, id, &m, &e->sources.power);
    else
        snprintf(l->why_not, sizeof(l->why_not), "%.199s", err->text);
    e->n++;
    return E_OK;
}

static int by_profit(const void *a, const void *b)
{
    const struct line *x = a;
    const struct line *y = b;
    bool x_out = x->why_not[0] != '\0';
    bool y_out = y->why_not[0] != '\0';
    if (x_out != y_out)
        return x_out - y_out;
    return (x->x.profit < y->x.profit) - (x->x.profit > y->x.profit);
}

/* Units as OGPU with six digits behind the point. */
static const char *ogpu(int64_t units, char out[32])
{
    uint64_t n = units < 0 ? (uint64_t)-units : (uint64_t)units;
    snprintf(out, 32, "%s%" PRIu64 ".%06" PRIu64, units < 0 ? "-" : "", n / 1000000, n % 1000000);
    return out;
}

static void print_text(const struct earn *e)
{
    char a[32];
    char b[32];
    char c[32];
    printf("%-30s %-20s %14s %14s %14s  %s\n", "source", "name", "income/h", "cost/h", "profit/h",
           "basis (OGPU an hour and slot, before fee and lost races)");
    for (size_t i = 0; i < e->n; i++) {
        const struct line *l = &e->lines[i];
        if (l->why_not[0]) {
            printf("%-30s %-20s %s\n", l->id, l->name, l->why_not);
            continue;
        }
        printf("%-30s %-20s %14s %14s %14s  ", l->id, l->name, ogpu(l->x.income, a),
               ogpu(l->x.cost, b), ogpu(l->x.profit, c));
        if (l->x.measured)
            printf("%" PRId64 " runs here, %" PRId64 " %% good, %" PRId64 " ms", l->x.tasks,
                   l->x.good_percent, l->x.mean_ms);
        else
            printf("never run here: least reward, longest time");
        printf("%s%s\n", l->unsure ? "; " : "", l->unsure ? UNSURE : "");
    }
}

static json_t *line_json(const struct line *l)
{
    char reward[32];
    char income[32];
    char cost[32];
    char profit[32];
    json_t *v = json_pack("{s:s, s:s, s:b}", "source", l->id, "name", l->name, "served",
                          l->why_not[0] == '\0');
    if (l->why_not[0]) {
        json_object_set_new(v, "reason", json_string(l->why_not));
        return v;
    }
    if (l->unsure) {
        json_object_set_new(v, "served", json_null());
        json_object_set_new(v, "reason", json_string(UNSURE));
    }
    json_object_update_new(
        v,
        json_pack("{s:b, s:I, s:I, s:I, s:s, s:s, s:s, s:s}", "measured", l->x.measured, "runs",
                  (json_int_t)l->x.tasks, "good_percent", (json_int_t)l->x.good_percent, "mean_ms",
                  (json_int_t)l->x.mean_ms, "reward_ogpu", ogpu(l->x.reward_units, reward),
                  "income_per_hour_ogpu", ogpu(l->x.income, income), "cost_per_hour_ogpu",
                  ogpu(l->x.cost, cost), "profit_per_hour_ogpu", ogpu(l->x.profit, profit)));
    return v;
}

static void print_json(const struct earn *e)
{
    json_t *list = json_array();
    for (size_t i = 0; i < e->n; i++)
        json_array_append_new(list, line_json(&e->lines[i]));
    json_t *v = json_pack("{s:o}", "sources", list);
    json_dumpf(v, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(v);
}

/* The same as a worker's registration would promise. */
static enum err_code environments(const struct options *o, unsigned *out, struct err *err)
{
    static struct device_list list;
    struct device_finder f = {.simulate = o->simulate_gpu, .sys_root = o->sys_root};
    device_finder_open(&f);
    enum err_code rc = device_finder_scan(&f, &list, err);
    device_finder_close(&f);
    if (rc == E_OK)
        *out = offer_environments(o, rootless_needed(), &list, true);
    return rc;
}

static enum err_code run(struct earn *e, const struct options *o, struct err *err)
{
    struct sources_config c = {o->sources, o->sources_if, o->kwh_price, o->watts, o->slots};
    unsigned offer = ENV_CPU;
    enum err_code rc = gateways_read(o->url, &e->gateways, err);
    if (rc == E_OK)
        rc = sources_open(&e->sources, &c, &e->earnings, err);
    if (rc != E_OK)
        return rc;
    rc = egress_terms_read(o, &e->sources.egress, err);
    if (rc == E_OK)
        rc = environments(o, &offer, err);
    e->sources.environments = offer;
    api_open(&e->api, &e->gateways, NULL, &e->stats);
    e->lines = calloc(LINES_MAX + 1, sizeof(e->lines[0]));
    if (rc == E_OK)
        rc = e->lines ? sources_each(&e->api, look, e, err) : err_set(err, E_INTERNAL, "no memory");
    api_close(&e->api);
    sources_close(&e->sources);
    return rc;
}

int command_earn(int argc, char **argv)
{
    static struct earn e;
    struct options o = {0};
    struct err err = {0};
    bool json = argc > 0 && strcmp(argv[0], "--json") == 0;
    enum err_code rc =
        options_load(options_earn, options_earn_count, argc - json, argv + json, &o, &err);
    if (rc == E_OK) {
        earnings_open(&e.earnings, o.work_dir);
        rc = run(&e, &o, &err);
        earnings_close(&e.earnings);
    }
    if (rc != E_OK) {
        fprintf(stderr, "ogpu-worker: %s\n", err.text);
        return 1;
    }
    qsort(e.lines, e.n, sizeof(e.lines[0]), by_profit);
    if (json)
        print_json(&e);
    else
        print_text(&e);
    free(e.lines);
    return 0;
}
