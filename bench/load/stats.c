/* SPDX-License-Identifier: MIT */
#include "bench/load/stats.h"

#include <stdlib.h>
#include <string.h>

void samples_add(struct samples *s, int64_t us)
{
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 1 << 16;
        s->us = realloc(s->us, s->cap * sizeof(*s->us));
        if (!s->us)
            abort();
    }
    s->us[s->n++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

void samples_free(struct samples *s)
{
    free(s->us);
    *s = (struct samples){0};
}

void stats_unexpected(struct stats *s, int status, const char *body, size_t n)
{
    size_t room = sizeof(s->first_unexpected) - 1;

    if (s->unexpected++ > 0)
        return;
    n = n < room - 8 ? n : room - 8;
    snprintf(s->first_unexpected, room, "%d %.*s", status, (int)n, body);
    /* It ends up inside a JSON string. */
    for (char *p = s->first_unexpected; *p; p++) {
        if (*p == '"' || *p == '\\')
            *p = '\'';
        else if ((unsigned char)*p < ' ')
            *p = ' ';
    }
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static void print_samples(const char *name, struct samples *s, double seconds, FILE *out)
{
    size_t half = s->n / 2;
    size_t most = s->n * 99 / 100;

    if (s->n == 0)
        return;
    qsort(s->us, s->n, sizeof(*s->us), by_size);
    fprintf(out,
            "\"%s\":{\"n\":%zu,\"per_s\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f},",
            name, s->n, (double)s->n / seconds, s->us[half] / 1e3, s->us[most] / 1e3,
            s->us[s->n - 1] / 1e3);
}

void stats_print(struct stats *s, double seconds, FILE *out)
{
    const char *comma = "";

    fprintf(out, "{\"seconds\":%.3f,", seconds);
    print_samples("submit", &s->submit, seconds, out);
    print_samples("read", &s->read, seconds, out);
    print_samples("round", &s->round, seconds, out);
    fputs("\"statuses\":{", out);
    for (int i = 0; i < 600; i++) {
        if (s->by_status[i]) {
            fprintf(out, "%s\"%d\":%llu", comma, i, (unsigned long long)s->by_status[i]);
            comma = ",";
        }
    }
    fprintf(out,
            "},\"hung\":%llu,\"lost\":%llu,\"reconnects\":%llu,\"empty\":%llu,\"unexpected\":%llu,"
            "\"first_unexpected\":\"%s\"}\n",
            (unsigned long long)s->hung, (unsigned long long)s->lost,
            (unsigned long long)s->reconnects, (unsigned long long)s->empty,
            (unsigned long long)s->unexpected, s->first_unexpected);
}
