/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/load.h"

static const char usage[] =
    "usage: load --to HOST:PORT --traffic submit|read|mixed|roundtrip|get [--world FILE]\n"
    "            [--connections 64] [--requests N] [--seconds S] [--warmup S] [--hang 30]\n"
    "            [--idempotent PERCENT] [--tasks-in FILE] [--tasks-out FILE] [--path /]\n"
    "Closed loop over keep-alive connections; prints one JSON object. Ends with 0 when it could\n"
    "run, whatever came back: read the object.\n";

static const struct traffic *const kinds[] = {&traffic_submit, &traffic_read, &traffic_mixed,
                                              &traffic_round, &traffic_get};

static const struct option names[] = {{"to", required_argument, NULL, 't'},
                                      {"traffic", required_argument, NULL, 'k'},
                                      {"world", required_argument, NULL, 'w'},
                                      {"connections", required_argument, NULL, 'c'},
                                      {"requests", required_argument, NULL, 'n'},
                                      {"seconds", required_argument, NULL, 's'},
                                      {"warmup", required_argument, NULL, 'u'},
                                      {"hang", required_argument, NULL, 'h'},
                                      {"idempotent", required_argument, NULL, 'i'},
                                      {"tasks-in", required_argument, NULL, 'r'},
                                      {"tasks-out", required_argument, NULL, 'o'},
                                      {"path", required_argument, NULL, 'p'},
                                      {NULL, 0, NULL, 0}};

static bool set_address(struct options *o, char *arg)
{
    char *colon = strrchr(arg, ':');

    if (!colon)
        return false;
    *colon = '\0';
    o->host = arg;
    o->port = (uint16_t)strtoul(colon + 1, NULL, 10);
    return o->port > 0;
}

static bool set_traffic(struct options *o, const char *arg)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (strcmp(kinds[i]->name, arg) == 0)
            o->traffic = kinds[i];
    return o->traffic != NULL;
}

static bool set_option(struct options *o, const char **world, int name, char *arg)
{
    switch (name) {
    case 't':
        return set_address(o, arg);
    case 'k':
        return set_traffic(o, arg);
    case 'w':
        *world = arg;
        return true;
    case 'c':
        o->connections = (uint32_t)strtoul(arg, NULL, 10);
        return o->connections > 0;
    case 'n':
        o->requests = strtoull(arg, NULL, 10);
        return true;
    case 's':
        o->seconds = strtod(arg, NULL);
        return true;
    case 'u':
        o->warmup_s = strtod(arg, NULL);
        return true;
    case 'h':
        o->hang_s = strtod(arg, NULL);
        return o->hang_s > 0;
    case 'i':
        o->idempotent_pct = (uint32_t)strtoul(arg, NULL, 10);
        return true;
    case 'r':
        o->ids_in = arg;
        return true;
    case 'o':
        o->ids_out = arg;
        return true;
    case 'p':
        o->path = arg;
        return true;
    default:
        return false;
    }
}

/* What the chosen traffic cannot do without. */
static bool complete(const struct load *l)
{
    const struct options *o = &l->opt;

    if (!o->host || !o->traffic || (o->requests == 0 && o->seconds <= 0))
        return false;
    if (o->traffic == &traffic_round)
        return l->world.n_providers > 0;
    if (o->traffic == &traffic_read)
        return l->world.n_tasks > 0;
    return o->traffic == &traffic_get || l->world.n_keys > 0;
}

int main(int argc, char **argv)
{
    struct load l = {
        .opt = {.connections = 64, .hang_s = 30, .path = "/"},
    };
    const char *world = NULL;
    bool ok = true;
    int64_t from;
    int name;

    while ((name = getopt_long(argc, argv, "", names, NULL)) != -1)
        ok = ok && set_option(&l.opt, &world, name, optarg);
    ok = ok && (!world || world_read(world, &l.world)) &&
         (!l.opt.ids_in || world_read_tasks(l.opt.ids_in, &l.world));
    if (!ok || !complete(&l)) {
        fputs(usage, stderr);
        return 2;
    }
    ok = load_run(&l);
    if (ok) {
        from = l.opt.warmup_s > 0 ? l.counted_us : l.start_us;
        stats_print(&l.stats, (double)(l.end_us - from) / 1e6, stdout);
        ok = !l.opt.ids_out || world_write_tasks(l.opt.ids_out, &l.world);
    }
    samples_free(&l.stats.submit);
    samples_free(&l.stats.read);
    samples_free(&l.stats.round);
    world_free(&l.world);
    return ok ? 0 : 1;
}
