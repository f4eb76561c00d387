/* SPDX-License-Identifier: MIT */
/*
 * Load while tests/db/run-kill kills PostgreSQL with SIGKILL and starts it again: what was
 * acknowledged is there, once; and service is back soon after the server is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "harness.h"
#include "lib/clock.h"

#define FLIGHT 64
#define LOOK   500

struct tally {
    size_t acked;
    size_t refused;
    size_t wrong; /* neither acknowledged nor refused as it should be */
    int64_t longest_gap_us;
    struct uuid *ids; /* of the acknowledged */
};

static void count(struct tally *t, const struct flight *f)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct sql_put *in = f->calls[i].in;

        switch (f->calls[i].err.code) {
        case E_OK:
            t->ids = realloc(t->ids, (t->acked + 1) * sizeof(*t->ids));
            assert_non_null(t->ids);
            t->ids[t->acked++] = in->id;
            break;
        case E_DB_DOWN:
        case E_BUSY:
            t->refused++;
            break;
        default:
            t->wrong++;
            break;
        }
    }
}

/* Until the file is there, and once more answered. */
static void load(struct db_lanes *lanes, const char *until, struct tally *t)
{
    int64_t last = clock_mono_us();
    bool served = false;

    while (!served || access(until, F_OK) != 0) {
        struct flight *f = puts_new(FLIGHT);
        int64_t now;

        flight_run(lanes, f);
        count(t, f);
        now = clock_mono_us();
        served = flight_count(f, E_OK) > 0;
        if (served) {
            t->longest_gap_us = now - last > t->longest_gap_us ? now - last : t->longest_gap_us;
            last = now;
        }
        flight_free(f);
    }
}

static size_t present(PGconn *pg, const struct uuid *ids, size_t n)
{
    static char list[LOOK * 33 + 3];
    const char *value = list;
    size_t at = 0;
    PGresult *res;
    size_t found;

    list[at++] = '{';
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < 16; k++) {
            at += (size_t)snprintf(list + at, sizeof(list) - at, "%02x", ids[i].b[k]);
        }
        list[at++] = i + 1 < n ? ',' : '}';
    }
    list[at] = '\0';
    res = PQexecParams(pg, "SELECT count(*) FROM item WHERE id = ANY($1::uuid[])", 1, NULL, &value,
                       NULL, NULL, 0);
    assert_int_equal(PQresultStatus(res), PGRES_TUPLES_OK);
    found = strtoul(PQgetvalue(res, 0, 0), NULL, 10);
    PQclear(res);
    return found;
}

/* How long the server itself was away: on a slow disk its recovery takes most of a gap. */
static int64_t longest_away_ms(const char *path)
{
    FILE *f = fopen(path, "r");
    long ms = 0;

    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld", &ms), 1);
    fclose(f);
    return ms;
}

static void acknowledged_is_present_after_kill_9(void **state)
{
    const char *until = getenv("OGPU_LOAD_UNTIL");
    struct db_lanes *lanes = lanes_on(server_url());
    struct tally t = {0};
    size_t found = 0;
    PGconn *pg;

    (void)state;
    if (!until) {
        fail_msg("OGPU_LOAD_UNTIL names the file that ends the load");
        return;
    }
    load(lanes, until, &t);
    db_lanes_close(lanes);
    pg = bystander();
    for (size_t i = 0; i < t.acked; i += LOOK) {
        found += present(pg, t.ids + i, t.acked - i < LOOK ? t.acked - i : LOOK);
    }
    printf("# %zu acknowledged, %zu present, %zu refused, longest gap %lld ms\n", t.acked, found,
           t.refused, (long long)t.longest_gap_us / 1000);
    assert_true(t.acked > 1000);
    assert_int_equal(found, t.acked);
    assert_int_equal(t.wrong, 0);
    assert_int_equal(ask(pg, "SELECT sum(n) - (SELECT count(*) FROM item) FROM total"), 0);
    assert_true(t.longest_gap_us < (longest_away_ms(until) + 4000) * 1000);
    free(t.ids);
    PQfinish(pg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(acknowledged_is_present_after_kill_9)};

    return cmocka_run_group_tests_name("kill", tests, NULL, NULL);
}
