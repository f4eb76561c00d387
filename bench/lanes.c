/* SPDX-License-Identifier: MIT */
/*
 * Durable submits and point reads through the lanes alone, without HTTP: the ceiling of a gateway.
 *
 * usage: lanes [SECONDS [WRITE_LANES [IN_FLIGHT [ACCOUNTS]]]]     (database: DATABASE_URL,
 * migrated)
 *
 * A closed loop: every finished call starts the next from its own callback. Prints one JSON line
 * for submits and one for reads; ends with 1 when anything but "ok" came back.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/id.h"
#include "db/conn.h"
#include "db/lane.h"
#include "lib/clock.h"
#include "lib/hash.h"

#define SAMPLES_MAX (4U << 20)
#define INPUT       "{\"prompt\":\"a cat on a GPU\",\"steps\":20,\"seed\":7}"

struct account {
    int64_t id;
    struct uuid key;
    struct uuid source;
};

struct slot {
    struct db_call call;
    struct sql_task_submit in;
    struct sql_task_get get;
    const struct account *account;
    int64_t began_us;
};

static struct db_lanes *lanes;
static struct account *accounts;
static size_t n_accounts;
static atomic_bool over;
static atomic_size_t in_flight;
static atomic_size_t finished;
static atomic_size_t failed;
static atomic_size_t n_samples;
static uint32_t *samples;

static void die(const char *what, const struct err *err)
{
    fprintf(stderr, "lanes: %s: %s\n", what, err->text);
    exit(2);
}

static struct uuid fresh_id(void)
{
    static _Thread_local uint64_t state[2];
    uint8_t random[16];

    /* One system call a thread, then a counter: the id needs to be unique here, not secret. */
    if (state[0] == 0) {
        random_bytes(state, sizeof(state));
    }
    state[1]++;
    memcpy(random, state, sizeof(random));
    random[0] = (uint8_t)(state[1] >> 8);
    random[1] = (uint8_t)state[1];
    return id_make(clock_wall_us() / 1000, random);
}

/* ---- the marketplace: accounts with money, a source each ----------------------------------------
 */

static const void *run(struct db_conn *conn, enum sql_id stmt, const void *in, struct arena *a)
{
    struct err err = {.code = E_OK};
    const void *rows;
    size_t n;

    if (db_run(conn, stmt, in, 1, a, &rows, &n, &err)) {
        die(sql_stmts[stmt].name, &err);
    }
    return rows;
}

static void make_account(struct db_conn *conn, struct account *out, struct arena *a)
{
    uint8_t address[20];
    uint8_t hash[32];
    struct sql_account_ensure ensure = {.address = bytes_of(address, sizeof(address))};
    struct sql_api_key_create key = {.id = fresh_id(),
                                     .hash = bytes_of(hash, sizeof(hash)),
                                     .hint = text_of("bench"),
                                     .name = text_of("bench"),
                                     .scopes = 63};
    struct sql_source_create source = {.id = fresh_id(),
                                       .key = key.id,
                                       .name = text_of("bench"),
                                       .manifest = text_of("{}"),
                                       .manifest_hash = bytes_of(hash, sizeof(hash)),
                                       .environments = 1,
                                       .min_reward = wei_from_u64(1),
                                       .max_expiry_s = 86400,
                                       .fingerprint = bytes_of(hash, sizeof(hash))};

    struct sql_book_deposited deposit = {.id = fresh_id(),
                                         .block_no = 1,
                                         .tx_hash = bytes_of(hash, sizeof(hash)),
                                         .address = bytes_of(address, sizeof(address)),
                                         .amount = wei_from_units(1000000000000)};

    random_bytes(address, sizeof(address));
    random_bytes(hash, sizeof(hash));
    out->id =
        ((const struct sql_account_ensure_row *)run(conn, SQL_ACCOUNT_ENSURE, &ensure, a))->id;
    out->key = key.id;
    key.account = source.account = out->id;
    run(conn, SQL_API_KEY_CREATE, &key, a);
    run(conn, SQL_BOOK_DEPOSITED, &deposit, a);
    out->source =
        ((const struct sql_source_create_row *)run(conn, SQL_SOURCE_CREATE, &source, a))->id;
}

/* ---- the loop -----------------------------------------------------------------------------------
 */

static void next_submit(struct slot *s)
{
    static const uint8_t digest[32] = {1};
    struct uuid id = fresh_id();

    arena_reset(s->call.arena);
    s->in = (struct sql_task_submit){.id = id,
                                     .account = s->account->id,
                                     .key = s->account->key,
                                     .source = s->account->source,
                                     .reward = wei_from_u64(WEI_PER_UNIT),
                                     .racers = 2,
                                     .expires_in_s = 3600,
                                     .function = text_of(""),
                                     .input = text_of(INPUT),
                                     .input_digest = bytes_of(digest, sizeof(digest)),
                                     .input_blobs = bytes_of("", 0),
                                     .metadata = text_of("{}"),
                                     .fingerprint = bytes_of(digest, sizeof(digest))};
    s->call.stmt = SQL_TASK_SUBMIT;
    s->call.in = &s->in;
    s->call.route = (uint64_t)s->account->id;
    s->call.fair = s->account->id;
    s->call.conflict = 0;
    s->began_us = clock_mono_us();
    db_submit(lanes, &s->call);
}

static void next_get(struct slot *s)
{
    arena_reset(s->call.arena);
    s->get = (struct sql_task_get){.id = s->in.id, .account = s->account->id};
    s->call.stmt = SQL_TASK_GET;
    s->call.in = &s->get;
    s->began_us = clock_mono_us();
    db_submit(lanes, &s->call);
}

static bool is_good(const struct db_call *call)
{
    if (call->err.code || call->n_rows != 1) {
        return false;
    }
    return call->stmt != SQL_TASK_SUBMIT ||
           text_is(((const struct sql_task_submit_row *)call->rows)->outcome, "ok");
}

static void finish(struct db_call *call)
{
    struct slot *s = call->ctx;
    size_t at = atomic_fetch_add(&n_samples, 1);

    if (at < SAMPLES_MAX) {
        samples[at] = (uint32_t)(clock_mono_us() - s->began_us);
    }
    if (!is_good(call)) {
        if (atomic_fetch_add(&failed, 1) == 0) {
            fprintf(stderr, "lanes: %s\n", call->err.code ? call->err.text : "a refused call");
        }
    } else {
        atomic_fetch_add(&finished, 1);
    }
    if (atomic_load(&over)) {
        atomic_fetch_sub(&in_flight, 1);
    } else if (call->stmt == SQL_TASK_SUBMIT) {
        next_submit(s);
    } else {
        next_get(s);
    }
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

static int64_t cpu_us(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000LL + u.ru_utime.tv_usec +
           u.ru_stime.tv_usec;
}

static void measure(const char *what, enum sql_class class, struct slot *slots, size_t n,
                    int seconds, void (*next)(struct slot *))
{
    struct db_lane_stats before, after;
    int64_t began = clock_mono_us();
    int64_t cpu = cpu_us();
    size_t kept, middle, slow;
    double s;

    atomic_store(&finished, 0);
    atomic_store(&n_samples, 0);
    atomic_store(&over, false);
    db_lanes_stats(lanes, class, &before);
    atomic_store(&in_flight, n);
    for (size_t i = 0; i < n; i++) {
        next(&slots[i]);
    }
    sleep((unsigned)seconds);
    atomic_store(&over, true);
    while (atomic_load(&in_flight) > 0) {
        usleep(1000);
    }
    s = (double)(clock_mono_us() - began) / 1e6;
    db_lanes_stats(lanes, class, &after);
    kept = atomic_load(&n_samples) < SAMPLES_MAX ? atomic_load(&n_samples) : SAMPLES_MAX;
    qsort(samples, kept, sizeof(*samples), by_size);
    middle = kept / 2;
    slow = kept * 99 / 100;
    printf("{\"what\":\"%s\",\"per_s\":%.0f,\"p50_ms\":%.2f,\"p99_ms\":%.2f,\"calls_a_batch\":%.1f,"
           "\"own_cpu\":%.2f,\"failed\":%zu}\n",
           what, (double)atomic_load(&finished) / s, samples[middle] / 1e3, samples[slow] / 1e3,
           (double)(after.calls - before.calls) / (double)(after.batches - before.batches),
           (double)(cpu_us() - cpu) / 1e6 / s, atomic_load(&failed));
    fflush(stdout);
}

static void set_up(size_t accounts_wanted)
{
    struct arena *a = arena_new();
    struct err err = {.code = E_OK};
    struct db_conn *conn;

    if (db_conn_open(getenv("DATABASE_URL"), &conn, &err)) {
        die("open", &err);
    }
    n_accounts = accounts_wanted;
    accounts = calloc(n_accounts, sizeof(*accounts));
    for (size_t i = 0; i < n_accounts; i++) {
        make_account(conn, &accounts[i], a);
    }
    db_conn_close(conn);
    arena_free(a);
}

static long argument(int argc, char **argv, int i, long fallback)
{
    return argc > i ? strtol(argv[i], NULL, 10) : fallback;
}

int main(int argc, char **argv)
{
    int seconds = (int)argument(argc, argv, 1, 5);
    size_t n = (size_t)argument(argc, argv, 3, 512);
    struct db_lanes_config config = {.url = getenv("DATABASE_URL"),
                                     .write_lanes = (int)argument(argc, argv, 2, 2),
                                     .read_lanes = 1,
                                     .slow_lanes = 1,
                                     .queue_max = n + 1};
    struct err err = {.code = E_OK};
    struct slot *slots = calloc(n, sizeof(*slots));

    samples = malloc(SAMPLES_MAX * sizeof(*samples));
    if (!config.url || !slots || !samples) {
        fputs("lanes: set DATABASE_URL to a migrated database\n", stderr);
        exit(2);
    }
    set_up((size_t)argument(argc, argv, 4, 64));
    if (db_lanes_open(&config, &lanes, &err)) {
        die("open", &err);
    }
    for (size_t i = 0; i < n; i++) {
        slots[i].account = &accounts[i % n_accounts];
        slots[i].call = (struct db_call){.arena = arena_new(), .done = finish, .ctx = &slots[i]};
    }
    measure("submit", SQL_CLASS_WRITE, slots, n, seconds, next_submit);
    measure("get", SQL_CLASS_READ, slots, n, seconds, next_get);
    db_lanes_close(lanes);
    for (size_t i = 0; i < n; i++) {
        arena_free(slots[i].call.arena);
    }
    free(accounts);
    free(samples);
    free(slots);
    return atomic_load(&failed) > 0;
}
