/* SPDX-License-Identifier: MIT */
/* Types in both directions, reads and their isolation, the blocking connection, the listening link.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "db/conn.h"
#include "db/listen.h"
#include "harness.h"
#include "lib/clock.h"

static struct db_lanes *lanes;
static PGconn *side;

static int open_all(void **state)
{
    (void)state;
    lanes = lanes_on(server_url());
    side = bystander();
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    db_lanes_close(lanes);
    PQfinish(side);
    return 0;
}

static struct sql_echo_all full_of_extremes(void)
{
    struct sql_echo_all in = {.i = INT32_MIN,
                              .has_i = true,
                              .l = INT64_MIN,
                              .has_l = true,
                              .b = true,
                              .has_b = true,
                              .t = text_of("ünï {\"a\",NULL} \\ '"),
                              .d = bytes_of("\0\xff\0", 3),
                              .has_w = true,
                              .at = 253402300799999999};

    for (size_t i = 0; i < 16; i++) {
        in.id.b[i] = (uint8_t)(255 - i);
    }
    for (size_t i = 0; i < 4; i++) {
        in.w.limb[i] = UINT64_MAX;
    }
    return in;
}

static void assert_same(const struct sql_echo_all_row *row, const struct sql_echo_all *in)
{
    assert_memory_equal(&row->id, &in->id, 16);
    assert_int_equal(row->i, in->i);
    assert_int_equal(row->l, in->l);
    assert_int_equal(row->b, in->b);
    assert_true(row->has_i == in->has_i && row->has_l == in->has_l && row->has_b == in->has_b);
    assert_true(row->has_w == in->has_w && wei_cmp(row->w, in->w) == 0);
    assert_int_equal(row->t.s == NULL, in->t.s == NULL);
    assert_int_equal(row->t.n, in->t.n);
    if (in->t.n > 0 && row->t.s) {
        assert_memory_equal(row->t.s, in->t.s, in->t.n);
    }
    assert_int_equal(row->d.p == NULL, in->d.p == NULL);
    assert_int_equal(row->d.n, in->d.n);
    if (in->d.n > 0 && row->d.p) {
        assert_memory_equal(row->d.p, in->d.p, in->d.n);
    }
    assert_int_equal(row->at, in->at);
}

static void every_type_survives_as_array(void **state)
{
    struct flight *f = flight_new(SQL_ECHO_ALL, 3);
    struct sql_echo_all *in = (struct sql_echo_all *)f->in;

    (void)state;
    in[0] = full_of_extremes();
    in[2] = (struct sql_echo_all){
        .t = {"", 0}, .d = {(const uint8_t *)"", 0}, .at = -1, .has_i = true, .has_w = true};
    flight_run(lanes, f);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(f->calls[i].err.code, E_OK);
        assert_same(f->calls[i].rows, &in[i]);
    }
    flight_free(f);
}

static void every_type_survives_as_scalar(void **state)
{
    struct sql_echo_all in[3] = {[0] = full_of_extremes()};
    struct flight *f = flight_new(SQL_ECHO_ONE, 3);

    (void)state;
    in[2] = (struct sql_echo_all){.t = {"", 0}, .d = {(const uint8_t *)"", 0}, .has_b = true};
    for (size_t i = 0; i < 3; i++) {
        *(struct sql_echo_one *)flight_in(f, i) = (struct sql_echo_one){.id = in[i].id,
                                                                        .i = in[i].i,
                                                                        .has_i = in[i].has_i,
                                                                        .l = in[i].l,
                                                                        .has_l = in[i].has_l,
                                                                        .b = in[i].b,
                                                                        .has_b = in[i].has_b,
                                                                        .t = in[i].t,
                                                                        .d = in[i].d,
                                                                        .w = in[i].w,
                                                                        .has_w = in[i].has_w,
                                                                        .at = in[i].at};
    }
    flight_run(lanes, f);
    for (size_t i = 0; i < 3; i++) {
        const struct sql_echo_one_row *r = f->calls[i].rows;
        struct sql_echo_all_row row;

        assert_int_equal(f->calls[i].err.code, E_OK);
        row = (struct sql_echo_all_row){0,        r->id, r->i, r->has_i, r->l,     r->has_l, r->b,
                                        r->has_b, r->t,  r->d, r->w,     r->has_w, r->at};
        assert_same(&row, &in[i]);
    }
    flight_free(f);
}

static void bad_reads_fail_alone(void **state)
{
    struct flight *f = flight_new(SQL_DIVIDE, 200);

    (void)state;
    for (size_t i = 0; i < f->n; i++) {
        ((struct sql_divide *)flight_in(f, i))->n = 5;
    }
    ((struct sql_divide *)flight_in(f, 10))->n = 0;
    ((struct sql_divide *)flight_in(f, 11))->n = 0;
    ((struct sql_divide *)flight_in(f, 150))->n = 1;
    flight_run(lanes, f);
    assert_int_equal(flight_count(f, E_OK), 197);
    assert_int_equal(f->calls[10].err.code, E_INTERNAL);
    assert_int_equal(f->calls[11].err.code, E_INTERNAL);
    assert_int_equal(f->calls[150].err.code, E_INTERNAL);
    assert_int_equal(((const struct sql_divide_row *)f->calls[199].rows)->q, 20);
    flight_free(f);
}

static void a_slow_read_is_busy_and_harms_no_other(void **state)
{
    struct flight *f = flight_new(SQL_DIVIDE, 3);

    (void)state;
    for (size_t i = 0; i < f->n; i++) {
        ((struct sql_divide *)flight_in(f, i))->n = i == 1 ? 2 : 4;
    }
    flight_run(lanes, f);
    assert_int_equal(f->calls[0].err.code, E_OK);
    assert_int_equal(f->calls[1].err.code, E_BUSY);
    assert_int_equal(f->calls[2].err.code, E_OK);
    flight_free(f);
}

static void a_missing_row_is_no_error(void **state)
{
    struct flight *f = flight_new(SQL_ITEM_GET, 1);

    (void)state;
    ((struct sql_item_get *)flight_in(f, 0))->id = random_uuid();
    flight_run(lanes, f);
    assert_int_equal(f->calls[0].err.code, E_OK);
    assert_int_equal(f->calls[0].n_rows, 0);
    flight_free(f);
}

static void sessions_are_read_committed_and_durable(void **state)
{
    struct flight *f = flight_new(SQL_WHO_AM_I, 1);
    const struct sql_who_am_i_row *row;

    (void)state;
    flight_run(lanes, f);
    row = f->calls[0].rows;
    assert_string_equal(row->isolation.s, "read committed");
    assert_string_equal(row->sync.s, "on");
    flight_free(f);
}

static void refuses_synchronous_commit_off(void **state)
{
    struct db_lanes_config config = {
        .url = server_url(), .write_lanes = 1, .read_lanes = 1, .slow_lanes = 1, .queue_max = 1};
    struct db_lanes *none = NULL;
    struct err err = {.code = E_OK};

    (void)state;
    ask(side, "ALTER ROLE CURRENT_USER SET synchronous_commit = off");
    assert_int_equal(db_lanes_open(&config, &none, &err), E_CONFIG);
    ask(side, "ALTER ROLE CURRENT_USER RESET synchronous_commit");
    assert_non_null(strstr(err.text, "synchronous_commit"));
    assert_null(none);
}

static void refuses_a_schema_that_differs(void **state)
{
    struct db_conn *conn = NULL;
    struct err err = {.code = E_OK};

    (void)state;
    ask(side, "ALTER TABLE item ALTER COLUMN seen TYPE int8");
    assert_int_equal(db_conn_open(server_url(), &conn, &err), E_CONFIG);
    ask(side, "ALTER TABLE item ALTER COLUMN seen TYPE int4");
    assert_non_null(strstr(err.text, "item_get: column seen"));
    assert_null(conn);
}

static void the_blocking_form(void **state)
{
    struct arena *a = arena_new();
    struct db_conn *conn = NULL;
    struct err err = {.code = E_OK};
    struct sql_put in[2] = {{.id = random_uuid(), .who = 7}, {.id = random_uuid(), .who = 8}};
    struct sql_item_get get = {.id = in[1].id};
    struct sql_divide zero = {0};
    const void *rows;
    size_t n;

    (void)state;
    assert_int_equal(db_conn_open(server_url(), &conn, &err), E_OK);
    assert_int_equal(db_run(conn, SQL_PUT, in, 2, a, &rows, &n, &err), E_OK);
    assert_int_equal(n, 2);
    assert_int_equal(db_run(conn, SQL_ITEM_GET, &get, 1, a, &rows, &n, &err), E_OK);
    assert_int_equal(n, 1);
    assert_int_equal(((const struct sql_item_get_row *)rows)->who, 8);
    assert_int_equal(db_run(conn, SQL_DIVIDE, &zero, 1, a, &rows, &n, &err), E_INTERNAL);
    in[0] = (struct sql_put){.id = random_uuid(), .who = 7};
    in[1] = (struct sql_put){.id = random_uuid(), .who = 8, .note = text_of("poison")};
    assert_int_equal(db_run(conn, SQL_PUT, in, 2, a, &rows, &n, &err), E_INTERNAL);
    get.id = in[0].id;
    assert_int_equal(db_run(conn, SQL_ITEM_GET, &get, 1, a, &rows, &n, &err), E_OK);
    assert_int_equal(n, 0);
    db_conn_close(conn);
    arena_free(a);
}

static void one_holder_of_a_lock(void **state)
{
    struct db_conn *one = NULL;
    struct db_conn *two = NULL;
    struct err err = {.code = E_OK};

    (void)state;
    assert_int_equal(db_conn_open(server_url(), &one, &err), E_OK);
    assert_int_equal(db_conn_open(server_url(), &two, &err), E_OK);
    assert_true(db_try_lock(one, -42));
    assert_true(db_try_lock(one, -42));
    assert_true(db_lock_held(one, -42));
    assert_false(db_lock_held(one, 43));
    assert_false(db_try_lock(two, -42));
    assert_false(db_lock_held(two, -42));
    /* The session dies: whoever held it must notice before acting on it. */
    ask(side, "SELECT pg_terminate_backend(pid, 1000) FROM pg_locks WHERE locktype = 'advisory'");
    assert_false(db_lock_held(one, -42));
    assert_true(db_try_lock(two, -42));
    assert_false(db_try_lock(one, -42));
    db_conn_close(one);
    db_conn_close(two);
}

static atomic_int heard;
static atomic_int dropped;

static void told(void *ctx, const char *payload)
{
    (void)ctx;
    if (!payload) {
        atomic_fetch_add(&dropped, 1);
    } else if (strcmp(payload, "k1") == 0) {
        atomic_fetch_add(&heard, 1);
    }
}

static bool within(int64_t us, bool (*holds)(struct db_listen *), struct db_listen *l)
{
    for (int64_t end = clock_mono_us() + us; clock_mono_us() < end; usleep(2000)) {
        if (holds(l)) {
            return true;
        }
    }
    return holds(l);
}

static bool has_heard(struct db_listen *l)
{
    (void)l;
    return atomic_load(&heard) == 1;
}

static bool has_dropped_twice(struct db_listen *l)
{
    return atomic_load(&dropped) == 2 && db_listen_fresh(l);
}

static void listening_hears_and_stays_fresh(void **state)
{
    struct db_listen *l = NULL;
    struct err err;
    int stale = 0;

    (void)state;
    assert_int_equal(db_listen_open(server_url(), "bad name", told, NULL, &l, &err), E_CONFIG);
    assert_int_equal(db_listen_open(server_url(), "ogpu_key_revoked", told, NULL, &l, &err), E_OK);
    assert_true(within(2000000, db_listen_fresh, l));
    assert_int_equal(atomic_load(&dropped), 1);
    ask(side, "NOTIFY ogpu_key_revoked, 'k1'");
    assert_true(within(2000000, has_heard, l));
    for (int i = 0; i < 30; i++) {
        usleep(50000);
        stale += !db_listen_fresh(l);
    }
    assert_true(stale <= 1); /* a machine may stand still for a moment */
    ask(side, "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity"
              " WHERE application_name LIKE 'ogpu listen%'");
    assert_true(within(3000000, has_dropped_twice, l));
    db_listen_close(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_survives_as_array),
        cmocka_unit_test(every_type_survives_as_scalar),
        cmocka_unit_test(bad_reads_fail_alone),
        cmocka_unit_test(a_slow_read_is_busy_and_harms_no_other),
        cmocka_unit_test(a_missing_row_is_no_error),
        cmocka_unit_test(sessions_are_read_committed_and_durable),
        cmocka_unit_test(refuses_synchronous_commit_off),
        cmocka_unit_test(refuses_a_schema_that_differs),
        cmocka_unit_test(the_blocking_form),
        cmocka_unit_test(one_holder_of_a_lock),
        cmocka_unit_test(listening_hears_and_stays_fresh),
    };

    return cmocka_run_group_tests_name("reads", tests, open_all, close_all);
}
